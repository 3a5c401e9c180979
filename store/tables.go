package store

import (
	"slices"
	"strconv"
	"strings"
)

// columnType is how a column enters an archive.
type columnType int

const (
	text columnType = iota
	integer
	blob
)

type column struct {
	name string
	typ  columnType
}

// table is one table as the migrations make it. Those of [tables] are what a
// backup holds, in an order in which they can be filled: parents first.
type table struct {
	name    string
	order   string // the primary key
	columns []column
}

var (
	metaTable     = table{"meta", "name", cols("name", "value")}
	counterTable  = table{"counter", "id", cols("#id", "#seq")}
	teamTable     = table{"team", "id", cols("id", "handle", "#revision", "#seq", "name", "country", "kinds", "#gone", "#created", "#updated", "doc")}
	layerTable    = table{"layer", "source, source_key", cols("source", "source_key", "team_id", "hash")}
	historyTable  = table{"history", "team_id, revision", cols("team_id", "#revision", "#seq", "#at", "actor", "action", "fields", "doc")}
	changeTable   = table{"change", "seq", cols("#seq", "type", "id", "op", "#revision", "#at")}
	auditTable    = table{"audit", "seq", cols("#seq", "#at", "actor", "action", "subject", "fields", "detail")}
	evidenceTable = table{"evidence", "team_id, n", cols("team_id", "#n", "id", "contact", "#revision", "#level", "outcome", "method", "#at", "#valid_until", "vouched_by", "note", "raw_hash")}
	decisionTable = table{"match_decision", "team_a, team_b", cols("team_a", "team_b", "facts", "reason", "actor", "#at", "#seq")}
	tokenTable    = table{"token", "id", cols("id", "name", "hash", "role", "team", "forum", "scopes", "#created", "created_by", "#expires", "#last_used", "#revoked")}
	setTable      = table{"reference_set", "kind, source", cols("kind", "source", "#as_of", "#loaded", "#entries", "hash", "#seq")}
	blockTable    = table{"reference_block", "kind, source, n", cols("kind", "source", "#n", "=data")}
	jobTable      = table{"import_job", "id", cols("id", "state", "format", "options", "#created", "created_by", "#started", "#ended", "#size", "#rows_done", "#attempts", "runner", "#lease", "#cancel", "report")}
	foundTable    = table{"verification", rowKey, cols("team_id", "check_name", "kind", "subject", "verdict", "raw", "#since", "#announced", "doc", "held", "held_raw")}
	eventTable    = table{"check_event", "n", cols("#n", "#at", "team_id", "check_name", "kind", "subject", "was", "verdict", "doc")}
	rawTable      = table{"check_raw", "hash", cols("hash", "#at", "=data")}
	controlTable  = table{"domain_control", "team_id, domain", cols("team_id", "domain", "token", "digest", "expiry", "#started", "state", "#since", "#seen", "#until", "#missing", "dnssec", "raw_hash")}
	selectorTable = table{"dkim_selector", "domain, selector", cols("domain", "selector", "#seen")}
	pauseTable    = table{"check_pause", "check_name, guard", cols("check_name", "#guard", "#at_once", "paused_by", "why", "#at")}

	campaignTable       = table{"campaign", "id", cols("id", "state", "#created", "doc")}
	challengeTable      = table{"challenge", "id", cols("id", "team_id", "contact", "campaign", "subject", "#is_open", "#next_at", "#created", "doc")}
	challengeTokenTable = table{"challenge_token", "lookup", cols("lookup", "challenge")}
	challengeLogTable   = table{"challenge_log", "challenge, n", cols("challenge", "#n", "#at", "event", "effects")}
	challengeCaseTable  = table{"challenge_case", "challenge, kind", cols("challenge", "kind", "#opened", "#closed", "closed_by", "note")}
	challengeFlagTable  = table{"challenge_flag", "contact", cols("contact", "team_id", "flag", "#at", "challenge", "address")}
	consentTable        = table{"challenge_consent", "team_id", cols("team_id", "#at", "given_by")}
	outboxTable         = table{"outbox", "key", cols("key", "challenge", "step", "letter", "#last", "salt", "address", "domain", "#created", "#due_at", "#attempt", "owner")}
	noticeStateTable    = table{"notice_state", "team_id", cols("team_id", "doc")}
	noticeTable         = table{"notice", "id", cols("id", "team_id", "subject", "lookup", "salt", "address", "domain", "#created", "#due_at", "#attempt", "owner", "doc")}

	tellingTable = table{"challenge_telling", "recipient, challenge, rung", cols("recipient", "challenge", "#rung", "#created", "letter", "#tries")}

	askEventTable = table{"challenge_notice", "n", cols("#n", "#at", "type", "team_id", "campaign", "webhook", "doc")}
	hookTable     = table{"webhook", "id", cols("id", "team_id", "#active", "#created", "doc")}
	deliveryTable = table{"webhook_delivery", "webhook, n", cols("webhook", "#n", "#created", "#begun", "#due_at", "#attempt", "owner", "state", "#status", "problem", "#done")}
	endpointTable = table{"contact_endpoint", "contact", cols("contact", "team_id", "doc")}

	// uploadTable is no part of a backup: a job whose upload is gone says so.
	uploadTable = table{"import_block", "job_id, n", cols("job_id", "#n", "=data")}
	// dueTable is none either: what shall be checked follows from the teams.
	dueTable    = table{"check_due", rowKey, cols("team_id", "check_name", "kind", "subject", "#revision", "#rank", "#due_at", "#since", "#asked", "#attempt", "owner", "#fence")}
	minuteTable = table{"check_minute", "minute", cols("#minute", "#concluded", "#turned")}
	runTable    = table{"check_run", "check_name, outcome", cols("check_name", "outcome", "#n")}
)

// rowKey is the primary key of what is kept of each row of the queue.
const rowKey = "team_id, check_name, kind, subject"

func tables() []table {
	return []table{metaTable, counterTable, teamTable, layerTable, historyTable, changeTable, auditTable, evidenceTable, decisionTable, tokenTable, setTable, blockTable, jobTable,
		foundTable, eventTable, rawTable, pauseTable, controlTable, selectorTable,
		campaignTable, challengeTable, challengeTokenTable, challengeLogTable, challengeCaseTable, challengeFlagTable, consentTable, outboxTable,
		noticeStateTable, noticeTable, tellingTable, askEventTable, hookTable, deliveryTable, endpointTable}
}

// unsaved lists the tables that are no part of a backup.
func unsaved() []table { return []table{uploadTable, dueTable, minuteTable, runTable} }

// cols reads column names: #n is an integer, =n bytes, else text.
func cols(names ...string) []column {
	var list []column
	for _, n := range names {
		switch n[0] {
		case '#':
			list = append(list, column{n[1:], integer})
		case '=':
			list = append(list, column{n[1:], blob})
		default:
			list = append(list, column{n, text})
		}
	}
	return list
}

func (t table) names() []string {
	var list []string
	for _, c := range t.columns {
		list = append(list, c.name)
	}
	return list
}

// insert builds the statement that inserts n rows; then follows what to do
// with those that are there already.
func (t table) insert(n int, then string) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + t.name + " (" + strings.Join(t.names(), ", ") + ") VALUES ")
	for row := range n {
		if row > 0 {
			b.WriteString(", ")
		}
		b.WriteString("(" + parameters(row*len(t.columns)+1, len(t.columns)) + ")")
	}
	return b.String() + then
}

// parameters writes n parameters beginning with $first.
func parameters(first, n int) string {
	names := make([]string, n)
	for i := range names {
		names[i] = "$" + strconv.Itoa(first+i)
	}
	return strings.Join(names, ", ")
}

// overwrite is the end of an insert that replaces the row with the same key.
func (t table) overwrite() string {
	keys := strings.Split(t.order, ", ")
	var sets []string
	for _, name := range t.names() {
		if !slices.Contains(keys, name) {
			sets = append(sets, name+" = excluded."+name)
		}
	}
	return " ON CONFLICT (" + t.order + ") DO UPDATE SET " + strings.Join(sets, ", ")
}

// batch is how many rows go into one statement: enough that the cost of a
// statement is spread, few enough that 13 columns stay far below the 32,766
// parameters of SQLite.
const batch = 128

// insertKey is what the text of an insert follows from. An import runs the
// same few some hundred times.
type insertKey struct {
	table string
	rows  int
	then  string
}

// insertAll inserts rows, a batch at a time; rows holds their values one after
// the other. The rest goes in powers of two, so that few different statements
// are prepared.
func (t *tx) insertAll(in table, then string, rows []any) error {
	width := len(in.columns)
	size := batch
	for len(rows) > 0 {
		for size*width > len(rows) {
			size /= 2
		}
		key := insertKey{in.name, size, then}
		if t.inserts[key] == "" {
			if t.inserts == nil {
				t.inserts = map[insertKey]string{}
			}
			t.inserts[key] = in.insert(size, then)
		}
		if err := t.exec(t.inserts[key], rows[:size*width]...); err != nil {
			return err
		}
		rows = rows[size*width:]
	}
	return nil
}
