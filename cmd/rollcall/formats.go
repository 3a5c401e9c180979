package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/rollcall-csirt/rollcall/directory"
	"github.com/rollcall-csirt/rollcall/directory/format"
)

// importFormat is one format that can be read.
type importFormat struct {
	name, about string
	source      string // what the layer is called unless --source names it; "": the file says
	complete    bool   // a file of this format is all that the source has
	run         importer
}

type importer func(context.Context, *directory.Directory, directory.Principal, directory.ImportOptions, io.Reader) (directory.ImportReport, error)

// importFormats lists the formats in the order in which help shows them.
func importFormats() []importFormat {
	return []importFormat{
		{"dotgov", "security contacts of .gov domains (CSV of cisagov/dotgov-data)", "dotgov", true, teams(format.Dotgov)},
		{"national-csirts", "national CSIRTs (PostgreSQL COPY dump of contacts.cert.at)", "national-csirts", true, teams(format.NationalCSIRTs)},
		{"first", "members of FIRST (JSON of the FIRST API v1)", "first", false, teams(format.FIRST)},
		{"ti", "teams of the Trusted Introducer (teams.json)", "ti", true, teams(format.TI)},
		{"cna", "CVE numbering authorities (CNAsList.json of the CVE Program)", "cna", true, teams(format.CNA)},
		{"csv", "a spreadsheet of teams, one row for each; see --map", "csv", false, spreadsheet(format.CSVMap{})},
		{"rfc2350", "one team's RFC 2350 document", "rfc2350", false, teams(format.RFC2350)},
		{"keyring", "OpenPGP keys of teams that are here already", "keyring", false, teams(format.Keyring)},
		{"rollcall", "our own NDJSON, as rollcall export writes it", "rollcall", false, records(format.Rollcall)},
		{"prefix-country", "address space by country (CSV prefix,country)", "rir", false, reference(format.PrefixCountry)},
		{"prefix-asn", "which network announces which address space (prefix, AS numbers)", "bgp", false, reference(format.PrefixASN)},
		{"rir-delegated", "delegated-extended statistics of a regional registry", "", false, reference(format.RIRDelegated)},
	}
}

// formatList is the list for the help.
func formatList() string {
	var b strings.Builder
	for _, f := range importFormats() {
		fmt.Fprintf(&b, "  %-16s %s\n", f.name, f.about)
	}
	return strings.TrimRight(b.String(), "\n")
}

// teams imports what a codec of teams reads.
func teams(codec func(io.Reader) directory.ImportItems) importer {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.Import(ctx, p, o, codec(r))
	}
}

// spreadsheet imports teams from a CSV file whose columns m explains.
func spreadsheet(m format.CSVMap) importer {
	return teams(func(r io.Reader) directory.ImportItems { return format.CSV(r, m) })
}

// reference imports what a codec of reference data reads.
func reference(codec func(io.Reader) directory.ReferenceItems) importer {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.ImportReference(ctx, p, o, codec(r))
	}
}

// records imports whole records.
func records(codec func(io.Reader) directory.RecordItems) importer {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.ImportRecords(ctx, p, o, codec(r))
	}
}
