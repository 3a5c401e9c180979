package format

import (
	"bufio"
	"io"
	"iter"
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Exporter writes teams in one format that others read. It sees teams as the
// viewer may see them, after [directory.Redact], and never a record: what is
// withheld can't leak through a format.
type Exporter struct {
	Name      string // for the command line and in paths: "ti"
	About     string // one line for help: whose shape it is
	MediaType string // of the output: "application/json"
	Extension string // of a file of it, with the dot: ".json"

	write func(w *bufio.Writer, o ExportOptions, teams Teams) error
}

// Teams are the teams of an export: live, redacted for whoever reads it, each
// once. An error ends them.
type Teams = iter.Seq2[directory.Team, error]

// ExportOptions say what an export needs to know beside the teams. Exporters
// have no clock of their own.
type ExportOptions struct {
	Now    time.Time        // the moment the export is of
	Policy directory.Policy // how long proof lasts
	// Base is the URL under which the directory is served, with a slash at the
	// end, for links back; "" leaves them out.
	Base string
	// Source is what the directory calls itself where a format has a place for
	// that; "" is rollcall.
	Source string
}

// Exporters lists the formats that several teams can be written in, in the
// order in which help shows them. The list is new with each call.
func Exporters() []Exporter {
	return []Exporter{
		tiExporter(),
		firstExporter(),
		cerebrateExporter(),
		csvExporter(),
		vcardExporter(),
		jscontactExporter(),
		stixExporter(),
		keyringExporter(),
		keyringBinaryExporter(),
	}
}

// FindExporter returns the exporter with that name.
func FindExporter(name string) (Exporter, bool) {
	for _, e := range Exporters() {
		if e.Name == name {
			return e, true
		}
	}
	return Exporter{}, false
}

// Write writes teams one by one, in their order, in memory that does not grow
// with their number. It returns the first error of teams or of w, and then the
// output is cut off where it was: nothing closes what was opened, so that a
// part never reads as the whole. Equal teams and options give equal bytes.
// What the format has no place for is left out.
func (e Exporter) Write(w io.Writer, o ExportOptions, teams Teams) error {
	b := bufio.NewWriterSize(w, 1<<16)
	if err := e.write(b, o, teams); err != nil {
		return err
	}
	return b.Flush()
}
