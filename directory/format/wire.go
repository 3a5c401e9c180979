package format

import (
	"time"

	"github.com/rollcall-csirt/rollcall/directory"
)

// Team is a team as every public JSON shows it: the REST API, our NDJSON and
// whatever else speaks JSON. Against house rule 41 the wire type lives here
// and not in the API: one shape everywhere is worth more than the split.
//
// Lists that are absent say nothing; lists that are empty say "none".
type Team struct {
	ID         string    `json:"id" format:"uuid" readOnly:"true" doc:"Stable UUID of the team" example:"5694da62-6314-4565-9c4d-1298538826be"`
	Handle     string    `json:"handle" pattern:"^[a-z0-9][a-z0-9.-]{1,63}$" doc:"Unique short name, for addresses and the command line" example:"example-csirt"`
	Name       string    `json:"name" readOnly:"true" doc:"The name to show: the short one, else the full one, else the handle" example:"EXAMPLE-CSIRT"`
	Revision   int64     `json:"revision" readOnly:"true" minimum:"1" doc:"Grows by one with each write; also the ETag" example:"7"`
	Seq        int64     `json:"seq" readOnly:"true" doc:"Number of the last change to the team in the directory's one sequence" example:"812"`
	Created    time.Time `json:"created" format:"date-time" readOnly:"true" doc:"When the team was entered here"`
	Updated    time.Time `json:"updated" format:"date-time" readOnly:"true" doc:"When the team was last written"`
	Deleted    time.Time `json:"deleted,omitzero" format:"date-time" readOnly:"true" doc:"When the team was deleted; absent while it lives"`
	MergedInto string    `json:"merged_into,omitzero" format:"uuid" readOnly:"true" doc:"The team that this one became part of"`
	Profile
	Checks   []CheckVerdict    `json:"checks,omitzero" readOnly:"true" doc:"What checks found about what the team says; absent while none has"`
	Origins  map[string]Origin `json:"origins,omitzero" readOnly:"true" doc:"Where each top-level field comes from; items of lists carry theirs"`
	Raw      []Raw             `json:"raw,omitzero" readOnly:"true" doc:"What sources say in their own words where no field could take it"`
	Withheld []string          `json:"withheld,omitzero" readOnly:"true" doc:"Fields of which the viewer does not see everything" example:"[\"contacts\"]"`
}

// Profile is what a team, or one imported source, says about the team.
type Profile struct {
	Names        *Names        `json:"names,omitzero" doc:"What the team is called"`
	Kinds        []string      `json:"kinds,omitzero" enum:"csirt,psirt,soc,isac,coordination,national,national-responsibility,government,sector,nren,enterprise,commercial,publicly-funded,pirt,military" doc:"What the team is: FIRST typology and global-irt cert-types"`
	Status       string        `json:"status,omitzero" enum:"active,inactive,forming" doc:"Whether the team operates; absent is active"`
	Host         string        `json:"host,omitzero" maxLength:"300" doc:"Host organisation" example:"Example University"`
	Country      string        `json:"country,omitzero" minLength:"2" maxLength:"2" doc:"ISO 3166-1 alpha-2 code, or EU or XK" example:"AT"`
	Address      string        `json:"address,omitzero" maxLength:"2000" doc:"Postal address with line breaks (RFC 2350 2.2)" example:"Example CSIRT\nExample Street 1\n1010 Vienna\nAustria"`
	Zone         string        `json:"zone,omitzero" maxLength:"64" doc:"IANA time zone (RFC 2350 2.3)" example:"Europe/Vienna"`
	Hours        string        `json:"hours,omitzero" maxLength:"500" doc:"Weekly hours in the team's zone, or 24x7" example:"Mon-Fri 08:00-17:00"`
	Holidays     []string      `json:"holidays,omitzero" doc:"Days, in the team's zone, on which nobody is at their desk: nothing is asked then. At most 60" example:"[\"2026-12-25\",\"2027-01-01\"]"`
	Languages    []string      `json:"languages,omitzero" doc:"BCP 47 tags in order of preference" example:"[\"de-AT\",\"en\"]"`
	Website      string        `json:"website,omitzero" format:"uri" maxLength:"2048" doc:"http or https URL" example:"https://csirt.example.org/"`
	Established  string        `json:"established,omitzero" format:"date" doc:"When the team was founded" example:"2008-09-08"`
	Constituency *Constituency `json:"constituency,omitzero" doc:"Whom the team serves (RFC 2350 3.2)"`
	Resources    []Resource    `json:"resources,omitzero" doc:"What on the Internet the team is responsible for"`
	Contacts     []Contact     `json:"contacts,omitzero" doc:"Ways of reaching the team, preferred ones first within a use"`
	Keys         []Key         `json:"keys,omitzero" doc:"OpenPGP keys (RFC 2350 2.8)"`
	Prose        []Section     `json:"prose,omitzero" doc:"RFC 2350 text by section and language"`
	Services     []string      `json:"services,omitzero" enum:"monitoring-and-detection,event-analysis,incident-report-acceptance,incident-analysis,artifact-and-forensic-evidence-analysis,mitigation-and-recovery,incident-coordination,crisis-management-support,vulnerability-discovery,vulnerability-report-intake,vulnerability-analysis,vulnerability-coordination,vulnerability-disclosure,vulnerability-response,data-acquisition,analysis-and-synthesis,communication,awareness-building,training-and-education,exercises,technical-and-policy-advisory" doc:"Services of the FIRST CSIRT Services Framework 2.1"`
	Memberships  []Membership  `json:"memberships,omitzero" doc:"Places in forums, with history"`
	Designations []Designation `json:"designations,omitzero" doc:"What governments named the team for"`
	Maturity     *Maturity     `json:"maturity,omitzero" doc:"SIM3 self-assessment; TLP:RED unless the team says otherwise"`
}

// Names are what a team is called.
type Names struct {
	Short  string   `json:"short,omitzero" maxLength:"100" doc:"Short name" example:"EXAMPLE-CSIRT"`
	Full   string   `json:"full,omitzero" maxLength:"300" doc:"Official name" example:"Example Computer Security Incident Response Team"`
	Former []string `json:"former,omitzero" doc:"Names that the team gave up"`
	Other  []string `json:"other,omitzero" doc:"Other names that sources use"`
}

// Constituency is whom a team serves.
type Constituency struct {
	Types     []ConstituencyType `json:"types,omitzero" doc:"Kinds of constituency and on which side of the host organisation each lies"`
	Sectors   []string           `json:"sectors,omitzero" enum:"energy,transport,banking,financial,health,drinking-water,waste-water,digital-infrastructure,ict-services,public-administration,space,courier,waste-management,chemical,food,manufacturing,digital-providers,research" doc:"NIS2 sectors"`
	Countries []string           `json:"countries,omitzero" doc:"ISO 3166-1 alpha-2 codes" example:"[\"AT\"]"`
	Text      string             `json:"text,omitzero" maxLength:"4000" doc:"Description in words"`
}

// ConstituencyType is one kind of constituency.
type ConstituencyType struct {
	Type  string `json:"type" enum:"research-education,government,national,military,financial,commercial,industrial,service-provider,isp,vendor,ciip,law-enforcement,health,energy,other" doc:"Trusted Introducer and FIRST lists, mapped to one"`
	Scope string `json:"scope,omitzero" enum:"internal,external,both" doc:"Inside or outside of the host organisation; absent is unknown"`
}

// Resource is something on the Internet that a team is responsible for.
type Resource struct {
	Type       string  `json:"type" enum:"prefix,asn,domain,country" doc:"What the value is"`
	Value      string  `json:"value" maxLength:"253" doc:"Prefix in CIDR form, AS number, domain (which covers the names below it) or country code" example:"192.0.2.0/24"`
	Claim      string  `json:"claim,omitzero" enum:"listed,declared,confirmed,disputed" doc:"How far the team's responsibility is established; absent is declared"`
	Holder     string  `json:"holder,omitzero" maxLength:"300" doc:"The organisation that holds it, where it is not the team's host"`
	Visibility string  `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is clear"`
	Origin     *Origin `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// Contact is one way of reaching a team, as a role.
type Contact struct {
	ID         string    `json:"id,omitzero" format:"uuid" doc:"Stable UUID; leave it out for a new contact, keep it when changing one"`
	Revision   int       `json:"revision,omitzero" readOnly:"true" doc:"Grows when what was proven about the contact no longer holds" example:"3"`
	Channel    string    `json:"channel" enum:"email,phone,url,chat" doc:"How the contact is reached"`
	Value      string    `json:"value" maxLength:"2048" doc:"One bare address (RFC 5322), E.164 number or URI" example:"csirt@example.org"`
	Uses       []string  `json:"uses,omitzero" enum:"general,abuse,vulnerability,emergency,representative" doc:"What the contact is for; absent is general"`
	Person     string    `json:"person,omitzero" maxLength:"200" doc:"Name of the person, if it is not a role; then never clear"`
	Label      string    `json:"label,omitzero" maxLength:"200" doc:"A word for people" example:"duty officer"`
	Hours      string    `json:"hours,omitzero" maxLength:"500" doc:"Weekly hours in the team's zone, or 24x7; absent: the team's" example:"24x7"`
	Order      int       `json:"order,omitzero" minimum:"0" maximum:"99" doc:"Lower is asked first among contacts of one use"`
	Classes    []string  `json:"classes,omitzero" enum:"abusive-content,malicious-code,information-gathering,intrusion-attempts,intrusions,availability,information-content-security,fraud,vulnerable,other,test" doc:"RSIT incident classes; absent is all"`
	Visibility string    `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is clear"`
	Since      time.Time `json:"since,omitzero" format:"date-time" readOnly:"true" doc:"When this revision of the contact was entered or imported"`
	Evidence   *Evidence `json:"evidence,omitzero" readOnly:"true" doc:"What was proven about the contact, when, how and until when"`
	Origin     *Origin   `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// Evidence is what was proven about a contact, as of the answer.
type Evidence struct {
	Level      int       `json:"level" minimum:"0" maximum:"4" doc:"How strongly the contact was proven" example:"2"`
	LevelName  string    `json:"level_name" enum:"listed,deliverable,answered,proven,drilled" doc:"The level in a word" example:"answered"`
	State      string    `json:"state" enum:"verified,due,overdue,unverified,disputed,failed" doc:"What the evidence amounts to now" example:"verified"`
	At         time.Time `json:"at,omitzero" format:"date-time" doc:"When the level was proven; at level 0, when it was listed"`
	Method     string    `json:"method" doc:"How it was proven" example:"phone"`
	By         string    `json:"by,omitzero" doc:"Who vouches for it"`
	ValidUntil time.Time `json:"valid_until,omitzero" format:"date-time" doc:"When the proof runs out; absent at level 0"`
}

// CheckVerdict is what one check found about one thing that a team says.
type CheckVerdict struct {
	Check   string    `json:"check" doc:"Name of the check" example:"securitytxt"`
	Kind    string    `json:"kind" enum:"domain,contact,key" doc:"What the subject is" example:"domain"`
	Subject string    `json:"subject" doc:"The domain, the contact's value or the key's fingerprint" example:"example.org"`
	Verdict string    `json:"verdict" enum:"ok,warning,error,inconclusive" doc:"What was found; inconclusive is nobody's defect: the check could not ask" example:"warning"`
	Since   time.Time `json:"since,omitzero" format:"date-time" doc:"Since when the verdict is this one"`
	Checked time.Time `json:"checked,omitzero" format:"date-time" doc:"Until when at least it was seen to hold; it is refreshed weekly while nothing changes. Absent where no check came to a conclusion"`
}

// Key is an OpenPGP key that a team publishes. Everything but the armour and
// the visibility is what the key itself says, and is refused where it differs.
type Key struct {
	Fingerprint       string    `json:"fingerprint,omitzero" pattern:"^([0-9A-F]{40}|[0-9A-F]{64})$" doc:"OpenPGP fingerprint (RFC 9580 section 5.5.4); alone where a source publishes no key"`
	Version           int       `json:"version,omitzero" doc:"Version of the key: 4 or 6" example:"4"`
	Algorithm         string    `json:"algorithm,omitzero" doc:"Of the primary key" example:"Ed25519"`
	Bits              int       `json:"bits,omitzero" doc:"Size of the primary key"`
	Created           time.Time `json:"created,omitzero" format:"date-time" doc:"When the key was made"`
	Expires           time.Time `json:"expires,omitzero" format:"date-time" doc:"When the key expires; absent: never"`
	EncryptionExpires time.Time `json:"encryption_expires,omitzero" format:"date-time" doc:"When the last key to encrypt to expires"`
	Revoked           bool      `json:"revoked,omitzero" doc:"Whether the owner revoked the key"`
	RevokedAt         time.Time `json:"revoked_at,omitzero" format:"date-time" doc:"When the owner revoked it"`
	RevocationReason  string    `json:"revocation_reason,omitzero" doc:"Why"`
	UserIDs           []UserID  `json:"user_ids,omitzero" doc:"User IDs that the key signed itself"`
	Stripped          int       `json:"stripped,omitzero" doc:"Third-party signatures that were dropped on entry"`
	Repairs           []string  `json:"repairs,omitzero" doc:"What was mended on entry to read the key"`
	Armor             string    `json:"armor,omitzero" maxLength:"716800" doc:"The key in ASCII armour (RFC 9580 section 6.2)"`
	Visibility        string    `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is clear"`
	Continuity        string    `json:"continuity,omitzero" enum:"unproven,refused" readOnly:"true" doc:"Of a key that came beside or in place of another: unproven, while nothing speaks for it; refused, after somebody said that it is wrong. Absent: it was there from the start, or is proven"`
	Origin            *Origin   `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// UserID is one user ID of a key.
type UserID struct {
	Name    string `json:"name,omitzero" doc:"Name part"`
	Email   string `json:"email,omitzero" doc:"Address part"`
	Raw     string `json:"raw,omitzero" doc:"All of it" example:"Example CSIRT <csirt@example.org>"`
	Primary bool   `json:"primary,omitzero" doc:"Whether the key names it as the primary one"`
	Revoked bool   `json:"revoked,omitzero" doc:"Whether the owner revoked it"`
}

// Section is the text of one section of RFC 2350 appendix D in one language.
type Section struct {
	Number     string  `json:"number" doc:"Number in RFC 2350 appendix D" example:"3.1"`
	Language   string  `json:"language,omitzero" doc:"BCP 47 tag; absent is en" example:"en"`
	Text       string  `json:"text" maxLength:"65536" doc:"Markdown"`
	Visibility string  `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is clear"`
	Origin     *Origin `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// Membership is a team's place in a forum.
type Membership struct {
	Forum    string             `json:"forum" pattern:"^[a-z0-9][a-z0-9.-]{1,63}$" doc:"The forum's handle" example:"first"`
	Type     string             `json:"type,omitzero" maxLength:"100" doc:"The forum's own word" example:"Full Member"`
	Status   string             `json:"status" enum:"candidate,listed,accredited,certified,member,associate,liaison,suspended,ended" doc:"State of the membership"`
	Sponsors []string           `json:"sponsors,omitzero" doc:"Handles of the sponsoring teams"`
	Since    string             `json:"since,omitzero" format:"date" doc:"First day of this state"`
	Until    string             `json:"until,omitzero" format:"date" doc:"Last day; absent: still in force"`
	History  []MembershipStatus `json:"history,omitzero" doc:"Older states, oldest first"`
	Origin   *Origin            `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// MembershipStatus is one past state of a membership.
type MembershipStatus struct {
	Status string `json:"status" enum:"candidate,listed,accredited,certified,member,associate,liaison,suspended,ended" doc:"State of the membership"`
	Since  string `json:"since,omitzero" format:"date" doc:"First day of the state"`
}

// Designation says that a government named the team for a country.
type Designation struct {
	Country    string  `json:"country" doc:"ISO 3166-1 alpha-2 code" example:"AT"`
	Scope      string  `json:"scope" enum:"national,government,csirt-network,sector,academic,military,other" doc:"For what"`
	By         string  `json:"by,omitzero" maxLength:"300" doc:"Who designated the team"`
	Evidence   string  `json:"evidence,omitzero" format:"uri" maxLength:"2048" doc:"URL of the act or listing"`
	Since      string  `json:"since,omitzero" format:"date" doc:"First day"`
	Until      string  `json:"until,omitzero" format:"date" doc:"Last day; absent: still in force"`
	Preference int     `json:"preference,omitzero" minimum:"0" maximum:"99" doc:"1 is asked first; absent is not said"`
	Origin     *Origin `json:"origin,omitzero" readOnly:"true" doc:"Where the item comes from"`
}

// Maturity is a SIM3 self-assessment.
type Maturity struct {
	Model      string         `json:"model,omitzero" maxLength:"100" doc:"Version of the model" example:"SIM3 v2 interim"`
	By         string         `json:"by,omitzero" enum:"self,peer,auditor" doc:"Who assessed"`
	Assessed   string         `json:"assessed,omitzero" format:"date" doc:"Day of the assessment"`
	ValidUntil string         `json:"valid_until,omitzero" format:"date" doc:"Last day on which it counts"`
	Levels     map[string]int `json:"levels,omitzero" doc:"Parameter to level 0 to 4" example:"{\"O-1\":3}"`
	Visibility string         `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is red"`
}

// Origin says where a value comes from.
type Origin struct {
	Source string    `json:"source" doc:"team, or the name of the imported source" example:"dotgov"`
	AsOf   time.Time `json:"as_of,omitzero" format:"date-time" doc:"The day that the source vouches for"`
	At     time.Time `json:"at,omitzero" format:"date-time" doc:"When it was entered or imported here"`
}

// Raw is what a source says in its own words.
type Raw struct {
	Field      string  `json:"field" doc:"The field that it would belong to" example:"hours"`
	Text       string  `json:"text" maxLength:"1000" doc:"What the source says" example:"8 a.m. to 5 p.m."`
	Visibility string  `json:"visibility,omitzero" enum:"clear,green,amber,amber+strict,red" doc:"TLP 2.0 label; absent is clear"`
	Origin     *Origin `json:"origin,omitzero" readOnly:"true" doc:"Where it comes from"`
}

// TeamFrom returns t as the wire shows it, each contact with what was proven
// about it by now under policy. It shows all that t holds: redact t before.
func TeamFrom(t *directory.Team, policy directory.Policy, now time.Time) Team {
	w := Team{
		ID: string(t.ID), Handle: string(t.Handle), Name: t.Name(), Revision: t.Revision, Seq: t.Seq,
		Created: utc(t.Created), Updated: utc(t.Updated), Deleted: utc(t.Deleted), MergedInto: string(t.MergedInto),
		Profile: ProfileTo(t.Profile), Checks: each(t.Checks, checkTo), Raw: each(t.Raw, rawTo), Withheld: t.Withheld,
	}
	for i, c := range t.Contacts {
		s := standingTo(directory.Assess(c, t.Evidence, policy, now))
		w.Contacts[i].Evidence = &s
	}
	if len(t.Origins) > 0 {
		w.Origins = make(map[string]Origin, len(t.Origins))
	}
	for field, o := range t.Origins {
		w.Origins[field] = *originTo(o)
	}
	return w
}

// EvidenceFrom returns a standing as the wire shows it.
func EvidenceFrom(s directory.Standing) Evidence { return standingTo(s) }

func checkTo(v directory.CheckVerdict) CheckVerdict {
	return CheckVerdict{Check: v.Check, Kind: v.Kind, Subject: v.Subject, Verdict: v.Verdict, Since: utc(v.Since), Checked: utc(v.Checked)}
}

func standingTo(s directory.Standing) Evidence {
	return Evidence{
		Level: int(s.Level), LevelName: s.Level.String(), State: string(s.State), At: utc(s.At),
		Method: s.Method, By: s.By, ValidUntil: utc(s.ValidUntil),
	}
}

// utc keeps one instant from having two spellings.
func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}
