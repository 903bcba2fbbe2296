package pdsstandin

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// parameters are those that a search may have.
var parameters = []string{
	"family", "given", "birthdate", "address-postalcode", "address-postcode", "gender", "email", "phone", "general-practitioner", "death-date",
	"_history", "_fuzzy-match", "_exact-match", "_max-results",
}

// search answers GET /Patient?…: the one patient that matches, none, or that there
// are too many.
func (s *Standin) search(w http.ResponseWriter, q url.Values) {
	if status, code, why := judgeSearch(q); code != "" {
		refuse(w, status, code, why)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.matches(q)
	if len(found) > 1 {
		writeJSON(w, "application/fhir+json", http.StatusOK, outcome("TOO_MANY_MATCHES", ""))
		return
	}
	bundle := object{"resourceType": "Bundle", "type": "searchset", "timestamp": s.opt.Now().UTC().Format(time.RFC3339), "total": len(found)}
	if len(found) == 1 {
		bundle["entry"] = []any{object{
			"fullUrl": s.base + patientPath + "/" + found[0].NHSNumber.Reveal(), "search": object{"score": 0.9342}, "resource": s.patient(found[0]),
		}}
	}
	s.send(w, bundle)
}

// judgeSearch returns what PDS has against a search, or nothing.
func judgeSearch(q url.Values) (status int, code, why string) {
	for name, all := range q {
		if !slices.Contains(parameters, name) || len(all) != 1 {
			return http.StatusBadRequest, "ADDITIONAL_PROPERTIES", "Additional properties are not allowed"
		}
	}
	_, dated := strings.CutPrefix(q.Get("birthdate"), "eq")
	switch {
	case len(q) == 0:
		return http.StatusBadRequest, "UNSUPPORTED_SERVICE", ""
	case q.Get("_max-results") != "1": // application-restricted access
		return http.StatusForbidden, "INVALID_VALUE", "Invalid value in field '_max-results'"
	case q.Has("address-postcode"):
		return http.StatusBadRequest, "INVALID_SEARCH_DATA", "this stand-in knows address-postalcode alone"
	case q.Has("_fuzzy-match") || q.Has("_exact-match"):
		return http.StatusBadRequest, "INVALID_SEARCH_DATA", "this stand-in searches neither fuzzy nor exact"
	case q.Get("family") == "" || q.Get("birthdate") == "":
		return http.StatusBadRequest, "MISSING_VALUE", "Not enough search parameters were provided to be able to execute a search"
	case !dated:
		return http.StatusBadRequest, "INVALID_VALUE", "this stand-in knows birthdate=eq… alone"
	}
	for _, name := range []string{"family", "given", "address-postalcode"} {
		if prefix, _, wild := strings.Cut(q.Get(name), "*"); wild && len([]rune(prefix)) < 2 {
			return http.StatusBadRequest, "INVALID_SEARCH_DATA", "a wildcard needs two characters before it"
		}
	}
	return 0, "", ""
}

// matches returns those who match, superseded ones as what took their place.
func (s *Standin) matches(q url.Values) []identity.Entry {
	found := map[identity.NHSNumber]identity.Entry{}
	for number, e := range s.patients {
		if !s.fits(e, q) {
			continue
		}
		if by, gone := s.superseded[number]; gone {
			number, e = by, s.patients[by]
		}
		if e.NHSNumber.IsZero() || e.Standing == identity.Invalidated || s.label(e) != "U" && q.Has("address-postalcode") {
			continue
		}
		found[number] = e
	}
	var all []identity.Entry
	for _, e := range found {
		all = append(all, e)
	}
	return all
}

// fits compares one entry with every parameter that is there.
func (s *Standin) fits(e identity.Entry, q url.Values) bool {
	families := []string{e.FamilyName.Reveal()}
	if q.Get("_history") == "true" {
		families = append(families, e.FormerFamilyName.Reveal())
	}
	place := strings.ReplaceAll(q.Get("address-postalcode"), " ", "")
	return slices.ContainsFunc(families, func(f string) bool { return like(f, q.Get("family")) }) &&
		q.Get("birthdate") == "eq"+e.BirthDate.Reveal() &&
		(!q.Has("given") || like(e.GivenName.Reveal(), q.Get("given"))) &&
		(place == "" || like(e.Postcode.Reveal(), place))
}

// like compares without regard to case; a star ends the pattern.
func like(value, pattern string) bool {
	value, pattern = strings.ToLower(value), strings.ToLower(pattern)
	if prefix, _, wild := strings.Cut(pattern, "*"); wild {
		return value != "" && strings.HasPrefix(value, prefix)
	}
	return value != "" && value == pattern
}
