package directory

import "strings"

// TLP is a Traffic Light Protocol 2.0 label: who may see a part of a profile.
// The zero value is not a label; [ParseTLP] reads "" as CLEAR only where the
// caller says so.
type TLP string

// The labels, from open to closed, and who sees them here.
const (
	Clear       TLP = "clear"        // anyone
	Green       TLP = "green"        // anyone who is signed in
	Amber       TLP = "amber"        // members and secretariats of a forum the team is in
	AmberStrict TLP = "amber+strict" // the team, and the secretariats of its forums
	Red         TLP = "red"          // the team and the operator
)

// tlpSteps is how many ranks labels have; labels has one label of each.
const tlpSteps = 5

var labels = [tlpSteps]TLP{Clear, Green, Amber, AmberStrict, Red}

// ParseTLP parses a label in any case, with or without "TLP:". The label WHITE
// of TLP 1.0 is read as CLEAR.
func ParseTLP(s string) (TLP, error) {
	t := strings.ToLower(strings.TrimSpace(s))
	t = strings.TrimPrefix(t, "tlp:")
	switch TLP(t) {
	case Clear, Green, Amber, AmberStrict, Red:
		return TLP(t), nil
	case "white":
		return Clear, nil
	}
	return "", problem("tlp.unknown", s, "not a TLP 2.0 label", "clear, green, amber, amber+strict or red")
}

// rank orders labels from open (0) to closed (4).
func (t TLP) rank() uint8 {
	switch t {
	case Clear, "":
		return 0
	case Green:
		return 1
	case Amber:
		return 2
	case AmberStrict:
		return 3
	}
	return 4
}
