package register

import (
	"net/url"
	"strings"

	"github.com/dilys-id/dilys/identity"
)

// questions returns the searches that can find one patient, the likelier first, or
// none where a detail is missing or is no plain text (PDS FHIR API, patient-search,
// "Application-restricted access mode"):
//
//   - the first three letters of the given name, for short forms and spellings;
//   - the first two characters of the postcode, for those who moved nearby, and
//     then the whole of it, where too many live there;
//   - former names and addresses too; neither fuzzy, which finds more people, nor
//     exact, which has no wildcards; no gender, which the register may have wrong.
func questions(d identity.Details, postcode identity.Postcode) []url.Values {
	family, given := plain(d.FamilyName), firstLetters(plain(d.GivenName))
	if family == "" || given == "" || d.BirthDate.IsZero() || postcode.IsZero() {
		return nil
	}
	code := postcode.Reveal()
	inward := len(code) - 3
	var all []url.Values
	for _, place := range []string{code[:2] + "*", code[:inward] + " " + code[inward:]} {
		all = append(all, url.Values{
			"family": {family}, "given": {given}, "birthdate": {"eq" + d.BirthDate.Reveal()},
			"address-postalcode": {place}, "_history": {"true"}, "_max-results": {"1"},
		})
	}
	return all
}

// apostrophes are those that telephones write, and the one that PDS has.
var apostrophes = strings.NewReplacer("‘", "'", "’", "'", "ʼ", "'", "`", "'")

// plain returns the name as PDS would have it, or nothing where it has a wildcard:
// whoever types "Jo*" does not know the name.
func plain(n identity.Name) string {
	if strings.ContainsAny(n.Reveal(), "*?") {
		return ""
	}
	return apostrophes.Replace(n.Reveal())
}

// firstLetters returns the first three letters of the first given name and a
// wildcard, which PDS takes behind two letters or more.
func firstLetters(given string) string {
	words := strings.Fields(given)
	if len(words) == 0 {
		return ""
	}
	letters := []rune(words[0])
	if len(letters) < 2 {
		return words[0]
	}
	return string(letters[:min(3, len(letters))]) + "*"
}
