package register

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

const (
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits   = "0123456789"

	nhsNumberSystem = "https://fhir.nhs.uk/Id/nhs-number"
	maxODS          = 10 // characters of an ODS code
)

// entryOf reads a FHIR Patient of PDS as it is at that instant. A value that can't
// be read, such as a birth date without a day, is absent. Its errors name fields,
// and hold no value.
func entryOf(doc node, at time.Time) (identity.Entry, error) {
	var r reading
	e := identity.Entry{NHSNumber: r.number(doc)}
	r.names(&e, doc, at)
	e.BirthDate, _ = identity.ParseBirthDate(r.text(doc, "birthDate"))
	r.telecom(&e, doc, at)
	r.place(&e, doc, at)
	e.Standing = r.standing(doc, e.Practice, at)
	marks := r.marks(doc)
	switch {
	case r.fault != nil:
		return identity.Entry{}, r.fault
	case slices.Contains(marks, "REDACTED"): // it should have been a 404
		return identity.Entry{NHSNumber: e.NHSNumber, Standing: identity.Invalidated}, nil
	case len(marks) == 1 && marks[0] == "U":
		return e, nil
	}
	return protected(e), nil // R, V, a mark of later days, or none: what is not said to be free to tell is not
}

// protected returns the entry without all that could lead to where the patient
// lives. PDS leaves it out; if it ever forgets, we don't.
func protected(e identity.Entry) identity.Entry {
	return identity.Entry{
		NHSNumber: e.NHSNumber, FamilyName: e.FamilyName, FormerFamilyName: e.FormerFamilyName, GivenName: e.GivenName,
		BirthDate: e.BirthDate, Standing: e.Standing, Protected: true,
	}
}

// matchOf reads the Bundle that a search returns; false where nobody was found.
func matchOf(doc node, at time.Time) (identity.Entry, bool, error) {
	var r reading
	if r.text(doc, "resourceType") != "Bundle" {
		r.wanted("resourceType", "a Bundle")
	}
	found := r.list(doc, "entry")
	if total, counted := doc["total"].(json.Number); len(found) > 1 || counted && total.String() != strconv.Itoa(len(found)) {
		r.wanted("entry", "one patient at most")
	}
	if r.fault != nil || len(found) == 0 {
		return identity.Entry{}, false, r.fault
	}
	patient := r.object(found[0], "resource")
	e, err := entryOf(patient, at)
	if r.fault != nil {
		err = r.fault
	}
	return e, err == nil, err
}

// number reads whose record it is. The id and the identifier are the same number:
// one that says two is not to be believed about either.
func (r *reading) number(doc node) identity.NHSNumber {
	if r.text(doc, "resourceType") != "Patient" {
		r.wanted("resourceType", "a Patient")
	}
	text := r.text(doc, "id")
	number, err := identity.ParseNHSNumber(text)
	if err != nil || number.Reveal() != text {
		r.wanted("id", "an NHS number")
		return identity.NHSNumber{}
	}
	for _, i := range r.list(doc, "identifier") {
		if r.text(i, "system") == nhsNumberSystem && r.text(i, "value") != text {
			r.wanted("identifier", "the NHS number that id has")
		}
	}
	return number
}

// marks reads the security labels: U unrestricted, R restricted, V very restricted.
func (r *reading) marks(doc node) []string {
	var all []string
	for _, mark := range r.list(r.object(doc, "meta"), "security") {
		all = append(all, r.text(mark, "code"))
	}
	return all
}

// named is one name of a record.
type named struct {
	use, family, given string
	period
}

// names reads the name that the patient goes by, and the family name before it.
func (r *reading) names(e *identity.Entry, doc node, at time.Time) {
	var own, past []named
	for _, n := range r.list(doc, "name") {
		one := named{r.text(n, "use"), r.text(n, "family"), strings.Join(r.texts(n, "given"), " "), r.periodOf(n, "period")}
		switch {
		case !one.begun(at):
		case one.use == "usual", one.use == "official":
			own = append(own, one)
		case one.use == "old", one.use == "maiden":
			past = append(past, one)
		}
	}
	// A usual name that ended is the patient's as long as none took its place.
	slices.SortStableFunc(own, func(a, b named) int { return compareOwn(a, b, at) })
	if len(own) == 0 {
		return
	}
	e.FamilyName, e.GivenName = nameOf(own[0].family), nameOf(own[0].given)
	past = append(past, own[1:]...)
	slices.SortStableFunc(past, func(a, b named) int { return b.lastKnown().Compare(a.lastKnown()) })
	for _, n := range past {
		if former := nameOf(n.family); !former.IsZero() && !strings.EqualFold(n.family, own[0].family) {
			e.FormerFamilyName = former
			return
		}
	}
}

// compareOwn puts names of today before ended ones, the usual before the official,
// and the newer before the older.
func compareOwn(a, b named, at time.Time) int {
	rank := func(n named) (rank int) {
		if n.over(at) {
			rank += 2
		}
		if n.use != "usual" {
			rank++
		}
		return rank
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return b.lastKnown().Compare(a.lastKnown())
}

// lastKnown is the last instant that a name's period tells of.
func (n named) lastKnown() time.Time {
	if n.end.IsZero() {
		return n.start
	}
	return n.end
}

func nameOf(text string) identity.Name {
	n, _ := identity.ParseName(text) // what can't be read is absent
	return n
}

// telecom reads the contacts of today, the newest of each use. Those at work are
// left out: others read them too.
func (r *reading) telecom(e *identity.Entry, doc node, at time.Time) {
	newest := map[string]time.Time{}
	for _, t := range r.list(doc, "telecom") {
		system, use, value, when := r.text(t, "system"), r.text(t, "use"), r.text(t, "value"), r.periodOf(t, "period")
		what := system + " " + use
		if system == "email" {
			what = system // one address, whatever its use
		}
		if last, seen := newest[what]; use == "work" || use == "temp" || use == "old" || !when.covers(at) || seen && when.start.Before(last) {
			continue
		}
		if keep(e, what, value) {
			newest[what] = when.start
		}
	}
	if e.Mobile.IsZero() && e.Landline.UKMobile() { // many have only a mobile, noted as the telephone at home
		e.Mobile = e.Landline
	}
}

// keep writes a contact where it belongs; false if it is none that can be read.
func keep(e *identity.Entry, what, value string) bool {
	phone, noPhone := identity.ParsePhone(value)
	email, noEmail := identity.ParseEmail(value)
	switch {
	case what == "phone mobile" && noPhone == nil:
		e.Mobile = phone
	case what == "phone home" && noPhone == nil:
		e.Landline = phone
	case what == "email" && noEmail == nil:
		e.Email = email
	default:
		return false
	}
	return true
}

// place reads the postcode at home and the practice of today.
func (r *reading) place(e *identity.Entry, doc node, at time.Time) {
	var newest time.Time
	for _, a := range r.list(doc, "address") {
		use, text, when := r.text(a, "use"), r.text(a, "postalCode"), r.periodOf(a, "period")
		code, err := identity.ParsePostcode(text)
		if err != nil || use != "home" || !when.covers(at) || when.start.Before(newest) {
			continue
		}
		e.Postcode, newest = code, when.start
	}
	for _, gp := range r.list(doc, "generalPractitioner") {
		id := r.object(gp, "identifier")
		code, when := r.text(id, "value"), r.periodOf(id, "period")
		if len(code) <= maxODS && strings.Trim(code, capitals+digits) == "" && when.covers(at) {
			e.Practice = code
		}
	}
}

const (
	removalURL = "https://fhir.nhs.uk/StructureDefinition/Extension-PDS-RemovalFromRegistration"
	removedBy  = "removalFromRegistrationCode"
	removedAt  = "effectiveTime"
	byDeath    = "DEA"
)

// standing reads whether the patient died or moved away. A record without a practice
// says neither: only a removal from registration does, unless a practice took the
// patient on since.
func (r *reading) standing(doc node, practice string, at time.Time) identity.Standing {
	died := r.text(doc, "deceasedDateTime") != "" // however partial
	died = r.yes(doc, "deceasedBoolean") || died
	removed := r.removal(doc, at)
	switch {
	case died, removed == byDeath:
		return identity.Died
	case removed != "" && practice == "":
		return identity.Moved
	}
	return identity.Living
}

// removal returns the code of a removal from registration that is in effect, or
// nothing.
func (r *reading) removal(doc node, at time.Time) string {
	for _, x := range r.list(doc, "extension") {
		if r.text(x, "url") != removalURL {
			continue
		}
		code, when := "", period{}
		for _, part := range r.list(x, "extension") {
			switch r.text(part, "url") {
			case removedBy:
				for _, coding := range r.list(r.object(part, "valueCodeableConcept"), "coding") {
					code = r.text(coding, "code")
				}
			case removedAt:
				when = r.periodOf(part, "valuePeriod")
			}
		}
		if code != "" && when.covers(at) {
			return code
		}
	}
	return ""
}
