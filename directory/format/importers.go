package format

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Importer is one format that a directory can take in: its codec, and what is
// assumed about a file of it unless somebody says otherwise.
type Importer struct {
	Name, About string
	// Source is what the layer is called; "" where the file says it, see
	// [Importer.SourceIn].
	Source   string
	Complete bool // a file of this format is all that the source has
	run      importing
}

type importing func(context.Context, *directory.Directory, directory.Principal, directory.ImportOptions, io.Reader) (directory.ImportReport, error)

// Importers lists the formats in the order in which help shows them.
func Importers() []Importer {
	return []Importer{
		{"dotgov", "security contacts of .gov domains (CSV of cisagov/dotgov-data)", "dotgov", true, importTeams(Dotgov)},
		{"national-csirts", "national CSIRTs (PostgreSQL COPY dump of contacts.cert.at)", "national-csirts", true, importTeams(NationalCSIRTs)},
		{"first", "members of FIRST (JSON of the FIRST API v1)", "first", false, importTeams(FIRST)},
		{"ti", "teams of the Trusted Introducer (teams.json)", "ti", true, importTeams(TI)},
		{"cna", "CVE numbering authorities (CNAsList.json of the CVE Program)", "cna", true, importTeams(CNA)},
		{"global-irt", "teams in the Global IRT format (JSON or CSV)", "global-irt", false, importTeams(GlobalIRT)},
		{"cerebrate", "organisations of Cerebrate or MISP (index.json?full=1)", "cerebrate", true, importTeams(Cerebrate)},
		{"ti-csv", "the older list of the Trusted Introducer (info.v2.csv)", "ti", true, importTeams(TICSV)},
		{"csv", "a spreadsheet of teams, one row for each; see --map", "csv", false, importSpreadsheet(CSVMap{})},
		{"rfc2350", "one team's RFC 2350 document", "rfc2350", false, importTeams(RFC2350)},
		{"keyring", "OpenPGP keys of teams that are here already", "keyring", false, importTeams(Keyring)},
		{"rollcall", "our own NDJSON, as rollcall export writes it", "rollcall", false, importRecords(Rollcall)},
		{"prefix-country", "address space by country (CSV prefix,country)", "rir", false, importReference(PrefixCountry)},
		{"prefix-asn", "which network announces which address space (prefix, AS numbers)", "bgp", false, importReference(PrefixASN)},
		{"rir-delegated", "delegated-extended statistics of a regional registry", "", false, importReference(RIRDelegated)},
	}
}

// ImporterNamed returns the importer of a format, and whether there is one.
func ImporterNamed(name string) (Importer, bool) {
	for _, i := range Importers() {
		if i.Name == name {
			return i, true
		}
	}
	return Importer{}, false
}

// Import reads r and takes it in through d, which decides whether p may. The
// errors are those of [directory.Directory]; the report is as complete as the
// import came.
func (i Importer) Import(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
	return i.run(ctx, d, p, o, r)
}

// WithColumns returns the importer of spreadsheets whose columns m explains,
// and false where the format has none.
func (i Importer) WithColumns(m CSVMap) (Importer, bool) {
	if i.Name != "csv" {
		return i, false
	}
	i.run = importSpreadsheet(m)
	return i, true
}

// SourceLook is how much of the start of a file [Importer.SourceIn] wants.
const SourceLook = 4096

// registryLine is the first line of a registry's statistics file.
var registryLine = regexp.MustCompile(`(?m)^2(?:\.[0-9]+)?\|([a-z]{2,16})\|`)

// SourceIn returns the name of the source of a file that begins with start.
// A delegation file names its registry on its first line, so that the files of
// several registries stand beside each other.
func (i Importer) SourceIn(start []byte) string {
	if i.Source != "" {
		return i.Source
	}
	if m := registryLine.FindSubmatch(start); m != nil {
		return string(m[1])
	}
	return i.Name
}

// importTeams imports what a codec of teams reads.
func importTeams(codec func(io.Reader) directory.ImportItems) importing {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.Import(ctx, p, o, codec(r))
	}
}

// importSpreadsheet imports teams from a CSV file whose columns m explains.
func importSpreadsheet(m CSVMap) importing {
	return importTeams(func(r io.Reader) directory.ImportItems { return CSV(r, m) })
}

// importReference imports what a codec of reference data reads.
func importReference(codec func(io.Reader) directory.ReferenceItems) importing {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.ImportReference(ctx, p, o, codec(r))
	}
}

// importRecords imports whole records.
func importRecords(codec func(io.Reader) directory.RecordItems) importing {
	return func(ctx context.Context, d *directory.Directory, p directory.Principal, o directory.ImportOptions, r io.Reader) (directory.ImportReport, error) {
		return d.ImportRecords(ctx, p, o, codec(r))
	}
}

// RunImportJob imports the file of an import job, as its options say.
func RunImportJob(ctx context.Context, d *directory.Directory, j directory.ImportJob, p directory.Principal, o directory.ImportOptions, file io.Reader) (directory.ImportReport, error) {
	i, ok := ImporterNamed(j.Format)
	if !ok {
		return directory.ImportReport{}, fmt.Errorf("import job %s: the format %q is not known to this program", j.ID, j.Format)
	}
	if c := j.Options; len(c.Columns) > 0 || c.Key != "" || c.Separator != "" {
		i, _ = i.WithColumns(CSVMap{Columns: c.Columns, Key: c.Key, Separator: c.Separator})
	}
	in := bufio.NewReaderSize(file, SourceLook)
	if o.Source == "" {
		start, _ := in.Peek(SourceLook) // an error comes again when the codec reads
		o.Source = i.SourceIn(start)
	}
	return i.Import(ctx, d, p, o, in)
}
