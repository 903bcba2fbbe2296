package simulator

import (
	"fmt"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Patient is one made-up person with an NHS login.
type Patient struct {
	Key     string            // slug that login_hint names
	Subject string            // sub
	Level   identity.Proofing // highest level held: identity_proofing_level
	Prefers identity.Credential
	// Special says in a line what this patient is good for.
	Special string

	GivenName, FamilyName string
	Birthdate             string // YYYY-MM-DD
	NHSNumber             string // ten digits
	NextNHSNumber         string // told from the second login on, when set
	Email                 string
	EmailUnverified       bool
	Phone                 string // E.164
	PhoneUnmatched        bool   // not the phone that the register holds
	Landline              string // E.164
	GP                    string // ODS code of the practice
	GPUserID              string // with GPLinkageKey: credentials at the practice's system
	GPLinkageKey          string

	RefusesConsent bool
	// Extra claims stand in the ID token and userinfo, asked for or not.
	Extra map[string]any
}

// Name returns the patient's names as one line.
func (p Patient) Name() string { return p.GivenName + " " + p.FamilyName }

// age15 is how long before now the under-age patient was born: half a year short
// of sixteen, so that turning the clock makes them old enough.
const age15 = 15*12 + 6 // months

// MadeUpPatients returns the patients that a simulator starts with, the ordinary
// P9 one first. NHS numbers are of the 999 test range with right check digits,
// phones and addresses of the ranges kept for fiction (Ofcom; RFC 2606 §3).
func MadeUpPatients(now time.Time) []Patient {
	born15 := now.UTC().AddDate(0, -age15, 0).Format(time.DateOnly)
	patients := []Patient{
		{
			Key: "mair-prawf", Subject: "6513270e-269e-4d37-b2a7-4de452e6b438", Level: identity.P9,
			GivenName: "Mair", FamilyName: "Prawf", Birthdate: "1984-03-27", NHSNumber: "9990000379",
			Special: "proved by photo ID; nothing unusual",
		},
		{
			Key: "ianto-passkey", Subject: "d23f0824-128b-4f33-8c5c-7fd0a6a3a450", Level: identity.P9, Prefers: identity.Cm,
			GivenName: "Ianto", FamilyName: "Profedig", Birthdate: "1971-11-02", NHSNumber: "9990000743",
			Special: "logs in with a passkey, when the service takes one",
		},
		{
			Key: "dai-canolig", Subject: "9531985d-5d9d-49f8-9818-e811892f902b", Level: identity.P5,
			GivenName: "Dai", FamilyName: "Canolig", Birthdate: "1990-06-15", NHSNumber: "9990001111",
			Special: "details matched to the register, no photo ID",
		},
		{
			Key: "sal-newydd", Subject: "36f675cc-81e7-4ef5-a8e2-5d940ed90475", Level: identity.P0,
			GivenName: "Sal", FamilyName: "Newydd", Birthdate: "1999-01-09", NHSNumber: "9990001480",
			Special: "contact details only",
		},
		{
			Key: "carys-ifanc", Subject: "6b0d549b-6f03-475a-9600-a35a099950d8", Level: identity.P9,
			GivenName: "Carys", FamilyName: "Ifanc", Birthdate: born15, NHSNumber: "9990001855",
			Special: "15 years old, proved with linkage details from the practice",
		},
		{
			Key: "emrys-difon", Subject: "8d116ece-1738-47d9-bd9c-172411e20b8f", Level: identity.P9,
			GivenName: "Emrys", FamilyName: "Difon", Birthdate: "1938-12-30", NHSNumber: "9990002223",
			Phone: "-", Landline: "+442920180142",
			Special: "no mobile phone; codes come to a landline",
		},
		{
			Key: "nia-dwbl", Subject: "90c192cf-d3ac-44af-8f21-ddb66cad4a26", Level: identity.P9,
			GivenName: "Nia", FamilyName: "Dwbl", Birthdate: "1979-08-21", NHSNumber: "9990002592",
			Special: "one NHS number on two NHS logins: this is the P9 one",
		},
		{
			Key: "nia-dwbl-p5", Subject: "a170b338-3926-4059-b28c-105d1fb17c23", Level: identity.P5,
			GivenName: "Nia", FamilyName: "Dwbl", Birthdate: "1979-08-21", NHSNumber: "9990002592",
			Special: "one NHS number on two NHS logins: this is the P5 one",
		},
		{
			Key: "rhys-newid", Subject: "0fd630f1-f29d-4da9-953f-48f1a09f76b5", Level: identity.P9,
			GivenName: "Rhys", FamilyName: "Newid", Birthdate: "1966-05-05", NHSNumber: "9990002967", NextNHSNumber: "9990003335",
			Special: "the NHS number is another one from the second login on",
		},
		{
			Key: "sian-cymraeg", Subject: "0cb1e29c-658c-4a14-95e6-0af593bd04cf", Level: identity.P9,
			GivenName: "Siân Tŷ-gwyn", FamilyName: "Gŵyr-Llŷr", Birthdate: "1958-02-28", NHSNumber: "9990004072",
			Special: "a Welsh speaker, with ŵ and ŷ in the name",
		},
		{
			Key: "long-name", Subject: "8e81973e-0bec-47b0-b898-d190f9ebdacc", Level: identity.P9,
			GivenName:  "Gwenllïan-Angharad Zoë Nöelle O’Dônnáin",
			FamilyName: "ap Llywelyn-Fychan Ó Súilleabháin-Wojciechowska de la Peñalosa y Bjørnstjerne-Ångström",
			Birthdate:  "2000-02-29", NHSNumber: "9990004447",
			Special: "long and accented names, born on 29 February",
		},
		{
			Key: "huw-gwrthod", Subject: "6b4cb242-4a23-4596-a217-beaddbc496cb", Level: identity.P9,
			GivenName: "Huw", FamilyName: "Gwrthod", Birthdate: "1987-10-10", NHSNumber: "9990004811",
			RefusesConsent: true,
			Special:        "is asked to share their details, and may refuse",
		},
		{
			Key: "gofalwr-act", Subject: "92276658-1e27-41c0-8a6a-63ec24ede6a4", Level: identity.P9,
			GivenName: "Olwen", FamilyName: "Gofal", Birthdate: "1931-07-14", NHSNumber: "9990005184",
			Extra:   map[string]any{"act": map[string]any{"sub": "ae97ba94-d0ed-482f-8f6d-05584ef8aa38"}},
			Special: "a carer is at the keyboard: the token carries act",
		},
		{
			Key: "dirprwy-delegations", Subject: "923a7369-94e3-4f91-9a61-dbe22e44158b", Level: identity.P9,
			GivenName: "Tomos", FamilyName: "Dirprwy", Birthdate: "1975-04-01", NHSNumber: "9990005559",
			Extra: map[string]any{"delegations": []any{map[string]any{
				"sub": "18f135d2-5f55-4203-b018-50c5a38fd547", "role": "PROXY",
			}}},
			Special: "may act for someone else: the token carries delegations, even unasked",
		},
		{
			Key: "ffion-ap", Subject: "907a70c3-1012-4037-b64c-e4228c38fb29", Level: identity.P9,
			GivenName: "Ffion", FamilyName: "Ap", Birthdate: "1995-09-18", NHSNumber: "9990005923",
			Special: "comes by the NHS App: start on the page that plays it",
		},
		{
			Key: "wil-diogel", Subject: "7f150524-34b9-45df-9e77-69b10f4205b4", Level: identity.P9,
			GivenName: "Wil", FamilyName: "Diogel", Birthdate: "1982-01-31", NHSNumber: "9990006296",
			Phone: "-", PhoneUnmatched: true, GP: "-",
			Special: "a protected person: no phone and no practice are told",
		},
		{
			Key: "beca-heb-ebost", Subject: "c6f87718-6d76-407e-881e-d162ae2eb154", Level: identity.P9,
			GivenName: "Beca", FamilyName: "Heb-Wirio", Birthdate: "1969-12-01", NHSNumber: "9990006660",
			EmailUnverified: true, PhoneUnmatched: true,
			Special: "e-mail address not verified, phone not the register's",
		},
	}
	for i := range patients {
		patients[i].fill(i)
	}
	return patients
}

// fill gives a made-up patient the contact details that are not special about
// them; "-" means none.
func (p *Patient) fill(i int) {
	fallback(&p.Email, p.Key+"@example.com")
	fallback(&p.Phone, fmt.Sprintf("+447700900%03d", 100+i))
	fallback(&p.GP, "W00005")
	if p.GP != "" {
		p.GPUserID, p.GPLinkageKey = fmt.Sprintf("TESTUSER%03d", i), fmt.Sprintf("testLinkage%03d", i)
	}
}

func fallback(field *string, v string) {
	switch *field {
	case "":
		*field = v
	case "-":
		*field = ""
	}
}
