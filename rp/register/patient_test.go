package register

import (
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
)

var judged = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// patientWith returns a Patient that is free to tell, with more members.
func patientWith(members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"resourceType":"Patient","id":"9000000009","meta":{"security":[{"code":"U"}]}` + members + `}`
}

func read(t testing.TB, doc string) identity.Entry {
	t.Helper()
	n, err := parseDocument([]byte(doc))
	if err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	e, err := entryOf(n, judged)
	if err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return e
}

func TestNames(t *testing.T) {
	for name, row := range map[string]struct{ names, family, given, former string }{
		"usual":                          {`{"use":"usual","family":"Prawf","given":["Siân","Mair"]}`, "Prawf", "Siân Mair", ""},
		"official where none is usual":   {`{"use":"official","family":"Prawf","given":["Siân"]}`, "Prawf", "Siân", ""},
		"usual before official":          {`{"use":"official","family":"Arall"},{"use":"usual","family":"Prawf"}`, "Prawf", "", "Arall"},
		"a nickname and a temporary one": {`{"use":"nickname","family":"Jo"},{"use":"temp","family":"Baby"}`, "", "", ""},
		"maiden":                         {`{"use":"usual","family":"Prawf"},{"use":"maiden","family":"Hen"}`, "Prawf", "", "Hen"},
		"old, the same but for case":     {`{"use":"usual","family":"Prawf"},{"use":"old","family":"PRAWF"}`, "Prawf", "", ""},
		"two before: the last":           {`{"use":"usual","family":"Prawf"},{"use":"old","family":"Hen","period":{"start":"1990","end":"2000"}},{"use":"old","family":"Hwyrach","period":{"start":"2000","end":"2010-05"}}`, "Prawf", "", "Hwyrach"},
		"a usual one that ended":         {`{"use":"usual","family":"Hen","period":{"start":"1990","end":"2020-01-31"}},{"use":"usual","family":"Prawf","period":{"start":"2020-02-01"}}`, "Prawf", "", "Hen"},
		"ended, and none took its place": {`{"use":"usual","family":"Prawf","period":{"start":"2020-01-01","end":"2021-12-31"}}`, "Prawf", "", ""},
		"ended today":                    {`{"use":"usual","family":"Prawf","period":{"start":"2020-01-01","end":"2026-11-21"}},{"use":"usual","family":"Hen","period":{"start":"2000","end":"2019"}}`, "Prawf", "", "Hen"},
		"one that is to come":            {`{"use":"usual","family":"Prawf"},{"use":"usual","family":"Yfory","period":{"start":"2026-11-22"}}`, "Prawf", "", ""},
		"null for a given name":          {`{"use":"usual","family":"Prawf","given":["Siân",null]}`, "Prawf", "Siân", ""},
		"a family name that is no text":  {`{"use":"usual","family":"Pr\u0000awf","given":["Siân"]}`, "", "Siân", ""},
		"an end that can't be read":      {`{"use":"usual","family":"Hen","period":{"end":"soon"}},{"use":"usual","family":"Prawf","period":{"start":"soon"}}`, "Prawf", "", "Hen"},
		"no family name":                 {`{"use":"usual","given":["Siân"]}`, "", "Siân", ""},
		"no name":                        {``, "", "", ""},
	} {
		e := read(t, patientWith(`"name":[`+row.names+`]`))
		if e.FamilyName.Reveal() != row.family || e.GivenName.Reveal() != row.given || e.FormerFamilyName.Reveal() != row.former {
			t.Errorf("%s: got %q %q, formerly %q", name, e.FamilyName.Reveal(), e.GivenName.Reveal(), e.FormerFamilyName.Reveal())
		}
	}
}

func TestContacts(t *testing.T) {
	const mobile, home, mail = `{"system":"phone","use":"mobile","value":"07700 900123"`, `{"system":"phone","use":"home","value":"01632 960123"`, `{"system":"email","use":"home","value":"a@example.com"`
	for name, row := range map[string]struct{ telecom, mobile, landline, email string }{
		"all three":                        {mobile + `},` + home + `},` + mail + `}`, "07700900123", "01632960123", "a@example.com"},
		"a mobile that ended":              {mobile + `,"period":{"start":"2015","end":"2020-01-01"}}`, "", "", ""},
		"a mobile that ends today":         {mobile + `,"period":{"start":"2015","end":"2026-11-21"}}`, "07700900123", "", ""},
		"a mobile of tomorrow":             {mobile + `,"period":{"start":"2026-11-22"}}`, "", "", ""},
		"an end that can't be read":        {mobile + `,"period":{"end":"never"}}`, "", "", ""},
		"an instant for an end, gone by":   {mobile + `,"period":{"end":"2026-11-21T09:00:00+00:00"}}`, "", "", ""},
		"two mobiles: the newer, though":   {mobile + `,"period":{"start":"2020"}},{"system":"phone","use":"mobile","value":"07700900999","period":{"start":"2010"}}`, "07700900123", "", ""},
		"the newer can't be read":          {mobile + `,"period":{"start":"2010"}},{"system":"phone","use":"mobile","value":"ask my son","period":{"start":"2020"}}`, "07700900123", "", ""},
		"at work":                          {`{"system":"phone","use":"work","value":"07700900123"},{"system":"email","use":"work","value":"w@example.com"}`, "", "", ""},
		"temporary":                        {`{"system":"phone","use":"temp","value":"07700900123"},{"system":"email","use":"temp","value":"t@example.com"}`, "", "", ""},
		"a textphone":                      {`{"system":"other","use":"home","value":"01632960123"}`, "", "", ""},
		"fax":                              {`{"system":"fax","use":"home","value":"01632960123"}`, "", "", ""},
		"a mobile, noted as that at home":  {`{"system":"phone","use":"home","value":"07700900123"}`, "07700900123", "07700900123", ""},
		"no address":                       {`{"system":"email","use":"home","value":"none given"}`, "", "", ""},
		"an emergency contact is not ours": {``, "", "", ""},
	} {
		e := read(t, patientWith(`"contact":[{"telecom":[`+mobile+`}]}],"telecom":[`+row.telecom+`]`))
		if e.Mobile.Reveal() != row.mobile || e.Landline.Reveal() != row.landline || e.Email.Reveal() != row.email {
			t.Errorf("%s: got %q %q %q", name, e.Mobile.Reveal(), e.Landline.Reveal(), e.Email.Reveal())
		}
	}
}

func TestPlaceAndPractice(t *testing.T) {
	const home = `"address":[{"use":"home","postalCode":"CF10 1AA"`
	const gp = `"generalPractitioner":[{"identifier":{"value":"W95010"`
	for name, row := range map[string]struct{ members, postcode, practice string }{
		"both":                          {home + `}],` + gp + `}}]`, "CF101AA", "W95010"},
		"an address that ended":         {home + `,"period":{"end":"2020"}}]`, "", ""},
		"a temporary address":           {`"address":[{"use":"temp","postalCode":"CF10 1AA"}]`, "", ""},
		"two: the newer":                {home + `,"period":{"start":"2020"}},{"use":"home","postalCode":"LS1 6AE","period":{"start":"2010"}}]`, "CF101AA", ""},
		"no postcode":                   {`"address":[{"use":"home","postalCode":"abroad"}]`, "", ""},
		"a practice that ended":         {gp + `,"period":{"start":"2010","end":"2021-12-31"}}}]`, "", ""},
		"a practice that is none":       {`"generalPractitioner":[{"identifier":{"value":"w95010"}}]`, "", ""},
		"a practice without identifier": {`"generalPractitioner":[{"type":"Organization"}]`, "", ""},
	} {
		e := read(t, patientWith(row.members))
		if e.Postcode.Reveal() != row.postcode || e.Practice != row.practice {
			t.Errorf("%s: got %q %q", name, e.Postcode.Reveal(), e.Practice)
		}
	}
}

func TestStanding(t *testing.T) {
	removed := func(code, when string) string {
		return `"extension":[{"url":"` + removalURL + `","extension":[{"url":"removalFromRegistrationCode","valueCodeableConcept":{"coding":[{"code":"` + code +
			`"}]}},{"url":"effectiveTime","valuePeriod":{` + when + `}}]}]`
	}
	const gp = `,"generalPractitioner":[{"identifier":{"value":"W95010"}}]`
	for name, row := range map[string]struct {
		members string
		want    identity.Standing
	}{
		"nothing said":                     {``, identity.Living},
		"no practice":                      {`"generalPractitioner":[]`, identity.Living},
		"died, an instant":                 {`"deceasedDateTime":"2020-10-22T00:00:00+00:00"`, identity.Died},
		"died, a year":                     {`"deceasedDateTime":"2020"`, identity.Died},
		"died, when is not said":           {`"deceasedBoolean":true`, identity.Died},
		"not died":                         {`"deceasedBoolean":false`, identity.Living},
		"to Scotland":                      {removed("SCT", `"start":"2020-01-01T00:00:00+00:00"`), identity.Moved},
		"to Scotland, tomorrow":            {removed("SCT", `"start":"2026-11-22"`), identity.Living},
		"to Scotland, and back":            {removed("SCT", `"start":"2020-01-01","end":"2021-01-01"`), identity.Living},
		"to Scotland, now with a practice": {removed("SCT", ``) + gp, identity.Living},
		"removed by death":                 {removed("DEA", ``) + gp, identity.Died},
		"removed, why is not said":         {removed("", ``), identity.Living},
		"the same, of another extension":   {strings.Replace(removed("SCT", ``), removalURL, "https://example.org/x", 1), identity.Living},
		"another extension":                {`"extension":[{"url":"https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-NHSCommunication","valueBoolean":true}]`, identity.Living},
	} {
		if e := read(t, patientWith(row.members)); e.Standing != row.want {
			t.Errorf("%s: wanted %q, got %q", name, row.want, e.Standing)
		}
	}
}

func TestPartialDatesAreUnknown(t *testing.T) {
	for text, want := range map[string]string{
		"1980-02-29": "1980-02-29", "1980": "", "1980-02": "", "1981-02-29": "", "": "", "29/02/1980": "", "1980-02-29T00:00:00Z": "",
	} {
		if e := read(t, patientWith(`"birthDate":"`+text+`"`)); e.BirthDate.Reveal() != want {
			t.Errorf("%q: wanted %q, got %q", text, want, e.BirthDate.Reveal())
		}
	}
}

// TestProtectedEntriesLoseWhatLeadsThere: should PDS ever forget to leave it out.
func TestProtectedEntriesLoseWhatLeadsThere(t *testing.T) {
	const all = `,"name":[{"use":"usual","family":"Cudd"}],"telecom":[{"system":"phone","use":"mobile","value":"07700900123"},{"system":"email","value":"a@example.com"}],` +
		`"address":[{"use":"home","postalCode":"CF10 1AA"}],"generalPractitioner":[{"identifier":{"value":"W95010"}}]}`
	for name, meta := range map[string]string{
		"restricted":        `,"meta":{"security":[{"code":"R"}]}`,
		"very restricted":   `,"meta":{"security":[{"code":"V"}]}`,
		"both":              `,"meta":{"security":[{"code":"U"},{"code":"R"}]}`,
		"an empty label":    `,"meta":{"security":[{"code":""}]}`,
		"in small letters":  `,"meta":{"security":[{"code":"u"}]}`,
		"no label":          `,"meta":{"security":[]}`,
		"a label of null":   `,"meta":{"security":null}`,
		"nothing about it":  ``,
		"a name that looks": `,"meta":{"Security":[{"code":"U"}]}`,
	} {
		e := read(t, `{"resourceType":"Patient","id":"9000000009"`+meta+all)
		want := identity.Entry{NHSNumber: e.NHSNumber, FamilyName: e.FamilyName, Protected: true}
		if e != want || e.FamilyName.Reveal() != "Cudd" {
			t.Errorf("%s: wanted a name and nothing by which to find the patient", name)
		}
	}
}

// FuzzPatient: nothing that PDS could send makes the reader panic, gives an entry
// without a true number, or a protected one with a way to its patient.
func FuzzPatient(f *testing.F) {
	for _, members := range []string{
		``, `"name":[{"use":"usual","family":"Prawf","given":["Siân",null],"period":{"start":"2020-01-01","end":"2021"}}]`,
		`"name":{"use":"usual"}`, `"birthDate":"1980-02"`, `"deceasedBoolean":true`, `"identifier":[{"system":"` + nhsNumberSystem + `","value":"9434765919"}]`,
		`"telecom":[{"system":"phone","use":"home","value":"07700900123"},{"system":"email","value":"a@example.com"}]`,
		`"extension":[{"url":"` + removalURL + `","extension":[{"url":"effectiveTime","valuePeriod":{"start":"x"}}]}]`,
		`"meta":{"security":[{"code":"R"}]}`, `"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		f.Add([]byte(patientWith(members)))
	}
	f.Add([]byte(strings.Replace(patientWith(`"address":[{"use":"home","postalCode":"CF10 1AA"}]`), `"U"`, `"R"`, 1)))
	f.Add([]byte(`{"resourceType":"Bundle","total":1,"entry":[{"resource":` + patientWith(``) + `}]}`))
	f.Add([]byte(`{"resourceType":"OperationOutcome","issue":[{"details":{"coding":[{"code":"RESOURCE_NOT_FOUND"}]}}]}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		n, err := parseDocument(doc)
		if err != nil {
			return
		}
		_ = codeOf(n)
		if e, found, err := matchOf(n, judged); found != (err == nil && !e.NHSNumber.IsZero()) {
			t.Fatalf("a match %v with %v", found, err)
		}
		e, err := entryOf(n, judged)
		if err != nil {
			if e != (identity.Entry{}) {
				t.Fatal("an entry beside an error")
			}
			return
		}
		if n["resourceType"] != "Patient" || n["id"] != e.NHSNumber.Reveal() || e.NHSNumber.IsZero() {
			t.Fatalf("let in: %s", doc)
		}
		reachable := len(e.Contacts()) > 0 || !e.Landline.IsZero() || !e.Postcode.IsZero() || e.Practice != ""
		if e.Protected && reachable {
			t.Fatalf("told of a protected patient: %s", doc)
		}
		if again, _ := entryOf(n, judged); again != e {
			t.Fatalf("read twice, two entries: %s", doc)
		}
	})
}
