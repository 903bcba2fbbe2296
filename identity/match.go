package identity

import (
	"slices"
	"unicode/utf8"
)

// Match names the fields in which what somebody claims differs from an entry of
// the register, in the order family_name, given_name, birthdate, nhs_number; none
// is a match. The names say to an operator which class of field failed, and
// nothing of either value. Nobody else is told even that.
//
// It is tolerant as people and registers spell: of case, accents, apostrophes,
// hyphens, gaps and the order of a double name ([Name.Forms]), of the former family name, of
// given names that agree in their first three letters only, and of given and
// family name in each other's place. It is never tolerant of the birth date. What
// is not claimed, or not on the entry, differs.
//
// The number must be the entry's own: who asked for one that was superseded claims
// the one that took its place.
func Match(claimed Details, e Entry) []string {
	family := isFamily(claimed.FamilyName, e)
	given := isGiven(claimed.GivenName, e.GivenName)
	if !(family && given) && isFamily(claimed.GivenName, e) && isGiven(claimed.FamilyName, e.GivenName) {
		family, given = true, true
	}
	var differ []string
	for _, field := range []struct {
		name string
		same bool
	}{
		{"family_name", family},
		{"given_name", given},
		{"birthdate", claimed.BirthDate == e.BirthDate && !e.BirthDate.IsZero()},
		{"nhs_number", claimed.NHSNumber == e.NHSNumber && !e.NHSNumber.IsZero()},
	} {
		if !field.same {
			differ = append(differ, field.name)
		}
	}
	return differ
}

func isFamily(claimed Name, e Entry) bool {
	return haveCommon(claimed.Forms(), e.FamilyName.Forms()) || haveCommon(claimed.Forms(), e.FormerFamilyName.Forms())
}

// isGiven compares the beginnings of the names as they come. Words in another
// order must be the same words: the beginnings of sorted words say little.
func isGiven(claimed, kept Name) bool {
	return haveCommon(claimed.Forms(), kept.Forms()) || haveCommon(claimed.beginnings(), kept.beginnings())
}

// beginnings returns the first three letters of the name as it comes.
func (n Name) beginnings() []string {
	const letters = 3
	var all []string
	for _, first := range []map[rune]string{nil, spelledOut} {
		begin := ""
		for _, word := range foldWords(n.Reveal(), first) {
			for _, r := range word {
				if utf8.RuneCountInString(begin) < letters {
					begin += string(r)
				}
			}
		}
		if begin != "" {
			all = append(all, begin)
		}
	}
	return all
}

func haveCommon(a, b []string) bool {
	return slices.ContainsFunc(a, func(form string) bool { return slices.Contains(b, form) })
}
