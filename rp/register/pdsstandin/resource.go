package pdsstandin

import (
	"net/http"
	"strings"

	"github.com/dilys-id/dilys/identity"
)

// object is a JSON object.
type object = map[string]any

// displays are the words beside a security label.
var displays = map[string]string{"U": "unrestricted", "R": "restricted", "V": "very restricted", "REDACTED": "redacted"}

func (s *Standin) label(e identity.Entry) string {
	if l := s.labels[e.NHSNumber]; l != "" {
		return l
	}
	if e.Protected {
		return "R"
	}
	return "U"
}

// patient returns an entry as a FHIR Patient, without what its label withholds: R
// and V where the patient lives, V the names too.
func (s *Standin) patient(e identity.Entry) object {
	label, number := s.label(e), e.NHSNumber.Reveal()
	p := object{
		"resourceType": "Patient", "id": number,
		"identifier": []any{object{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}},
		"meta": object{"versionId": "2", "security": []any{object{
			"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": label, "display": displays[label],
		}}},
	}
	if !e.BirthDate.IsZero() {
		p["birthDate"] = e.BirthDate.Reveal()
	}
	if e.Standing == identity.Died {
		p["deceasedDateTime"] = "2026-05-14T00:00:00+00:00"
	}
	if e.Standing == identity.Moved {
		p["extension"] = []any{removal("SCT")}
	}
	if label != "V" {
		list(p, "name", names(e)...)
	}
	if label == "U" {
		s.whereabouts(p, e)
	}
	return p
}

// list writes a list, unless it is empty: FHIR has no empty ones.
func list(p object, name string, all ...any) {
	if len(all) > 0 {
		p[name] = all
	}
}

func names(e identity.Entry) []any {
	var all []any
	if !e.FamilyName.IsZero() {
		usual := object{"id": "n1", "use": "usual", "family": e.FamilyName.Reveal(), "period": object{"start": "2001-01-01"}}
		if !e.GivenName.IsZero() {
			var given []any
			for _, g := range strings.Fields(e.GivenName.Reveal()) {
				given = append(given, g)
			}
			usual["given"] = given
		}
		all = append(all, usual)
	}
	if !e.FormerFamilyName.IsZero() {
		all = append(all, object{"id": "n2", "use": "maiden", "family": e.FormerFamilyName.Reveal(), "period": object{"start": "1990-01-01", "end": "2000-12-31"}})
	}
	return all
}

// whereabouts writes all by which a patient could be found or reached.
func (s *Standin) whereabouts(p object, e identity.Entry) {
	var telecom []any
	for _, t := range []struct{ system, use, value string }{
		{"phone", "mobile", e.Mobile.Reveal()},
		{"phone", "home", e.Landline.Reveal()},
		{"email", "home", e.Email.Reveal()},
	} {
		if t.value != "" {
			telecom = append(telecom, object{"id": "t-" + t.system + t.use, "system": t.system, "use": t.use, "value": t.value, "period": object{"start": "2015-06-01"}})
		}
	}
	list(p, "telecom", telecom...)
	if !e.Postcode.IsZero() {
		list(p, "address", object{
			"id": "a1", "use": "home", "line": []any{"", "1 Stryd Enghraifft", "", "Caerfforddiad", ""},
			"postalCode": spaced(e.Postcode), "period": object{"start": "2015-06-01"},
		})
	}
	if e.Practice != "" && e.Standing != identity.Moved {
		list(p, "generalPractitioner", object{"id": "g1", "type": "Organization", "identifier": object{
			"system": "https://fhir.nhs.uk/Id/ods-organization-code", "value": e.Practice, "period": object{"start": "2015-06-01"},
		}})
	}
}

// removal is the extension of a patient who left the register of a practice.
func removal(code string) object {
	return object{"url": "https://fhir.nhs.uk/StructureDefinition/Extension-PDS-RemovalFromRegistration", "extension": []any{
		object{"url": "removalFromRegistrationCode", "valueCodeableConcept": object{"coding": []any{object{
			"system": "https://fhir.nhs.uk/CodeSystem/PDS-RemovalReasonExitCode", "code": code,
		}}}},
		object{"url": "effectiveTime", "valuePeriod": object{"start": "2026-02-01T00:00:00+00:00"}},
	}}
}

func spaced(p identity.Postcode) string {
	code := p.Reveal()
	return code[:len(code)-3] + " " + code[len(code)-3:]
}

// send answers with a resource, as altered.
func (s *Standin) send(w http.ResponseWriter, resource object) {
	if s.alter != nil {
		s.alter(resource)
	}
	writeJSON(w, "application/fhir+json", http.StatusOK, resource)
}

// outcome is how PDS says what went wrong.
func outcome(code, diagnostics string) object {
	issue := object{"severity": "error", "code": "value", "details": object{"coding": []any{object{
		"system": "https://fhir.nhs.uk/R4/CodeSystem/Spine-ErrorOrWarningCode", "version": "1", "code": code,
		"display": strings.ToLower(strings.ReplaceAll(code, "_", " ")),
	}}}}
	if diagnostics != "" {
		issue["diagnostics"] = diagnostics
	}
	return object{"resourceType": "OperationOutcome", "issue": []any{issue}}
}

func refuse(w http.ResponseWriter, status int, code, diagnostics string) {
	writeJSON(w, "application/fhir+json", status, outcome(code, diagnostics))
}
