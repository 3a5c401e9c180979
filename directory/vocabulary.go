package directory

import (
	"slices"
	"strings"
)

// Word is a term of one of the closed vocabularies below: lower case, words
// joined by hyphens.
type Word = string

// The vocabularies a profile draws from. Each is closed: a value outside of it
// is refused with the list of those allowed.
var (
	// Kinds are what a team is: the four of the FIRST typology, the roles of the
	// global-irt list, and coordination centres.
	Kinds = []Word{"csirt", "psirt", "soc", "isac", "coordination", "national", "national-responsibility", "government",
		"sector", "nren", "enterprise", "commercial", "publicly-funded", "pirt", "military"}
	// Statuses are whether a team operates.
	Statuses = []Word{"active", "inactive", "forming"}
	// ConstituencyScopes say on which side of the host organisation a constituency lies.
	ConstituencyScopes = []Word{"internal", "external", "both"}
	// ConstituencyTypes is the Trusted Introducer's list and the FIRST list, mapped to one.
	ConstituencyTypes = []Word{"research-education", "government", "national", "military", "financial", "commercial",
		"industrial", "service-provider", "isp", "vendor", "ciip", "law-enforcement", "health", "energy", "other"}
	// Sectors are the eighteen of NIS2, annexes I and II.
	Sectors = []Word{"energy", "transport", "banking", "financial", "health", "drinking-water", "waste-water",
		"digital-infrastructure", "ict-services", "public-administration", "space", "courier", "waste-management",
		"chemical", "food", "manufacturing", "digital-providers", "research"}
	// Channels are ways of reaching a contact.
	Channels = []Word{"email", "phone", "url", "chat"}
	// Uses are what a contact is for.
	Uses = []Word{"general", "abuse", "vulnerability", "emergency", "representative"}
	// IncidentClasses are the classes of the Reference Security Incident Taxonomy (RSIT v1003).
	IncidentClasses = []Word{"abusive-content", "malicious-code", "information-gathering", "intrusion-attempts", "intrusions",
		"availability", "information-content-security", "fraud", "vulnerable", "other", "test"}
	// ResourceTypes are what a team can be responsible for.
	ResourceTypes = []Word{"prefix", "asn", "domain", "country"}
	// Claims are how far a team's responsibility for a resource is established.
	Claims = []Word{"listed", "declared", "confirmed", "disputed"}
	// MembershipStatuses are the states of a membership in a forum.
	MembershipStatuses = []Word{"candidate", "listed", "accredited", "certified", "member", "associate", "liaison", "suspended", "ended"}
	// DesignationScopes say for what a government named a team.
	DesignationScopes = []Word{"national", "government", "csirt-network", "sector", "academic", "military", "other"}
	// Services are the 21 services of the FIRST CSIRT Services Framework 2.1.
	Services = []Word{"monitoring-and-detection", "event-analysis", "incident-report-acceptance", "incident-analysis",
		"artifact-and-forensic-evidence-analysis", "mitigation-and-recovery", "incident-coordination", "crisis-management-support",
		"vulnerability-discovery", "vulnerability-report-intake", "vulnerability-analysis", "vulnerability-coordination",
		"vulnerability-disclosure", "vulnerability-response", "data-acquisition", "analysis-and-synthesis", "communication",
		"awareness-building", "training-and-education", "exercises", "technical-and-policy-advisory"}
)

// ParseWord parses a term of a vocabulary in any case, with spaces or
// underscores for hyphens. A word outside of it is a [Problem] with code.
func ParseWord(code Code, s string, vocabulary []Word) (Word, error) {
	w := strings.ToLower(strings.TrimSpace(s))
	w = strings.NewReplacer(" ", "-", "_", "-").Replace(w)
	if slices.Contains(vocabulary, w) {
		return w, nil
	}
	return "", problem(code, s, "not a word of this vocabulary", "one of "+strings.Join(vocabulary, ", "))
}
