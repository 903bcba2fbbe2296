package identity_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

// must unwraps a value that a test's own constant can't make wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// named returns a name; nothing is no name.
func named(s string) identity.Name {
	if s == "" {
		return identity.Name{}
	}
	return must(identity.ParseName(s))
}

func TestNamesMatch(t *testing.T) {
	for name, row := range map[string]struct {
		claimed, kept string
		want          bool
	}{
		"the same":                           {"Prawf", "Prawf", true},
		"in capitals":                        {"PRAWF", "Prawf", true},
		"another":                            {"Prawf", "Prawff", false},
		"Welsh accents":                      {"Siân Llŷr Ŵyn", "SIAN LLYR WYN", true},
		"accents as characters of their own": {"Sia\u0302n", "Siân", true},
		"Irish":                              {"O'Flaithbheartaigh", "Ó Flaithbheartaigh", true},
		"a telephone's apostrophe":           {"O’Prawf", "O'PRAWF", true},
		"no apostrophe":                      {"OPrawf", "O'Prawf", true},
		"a hyphen left out":                  {"Prawf Testwen", "Prawf-Testwen", true},
		"a gap left out":                     {"MacPrawf", "Mac Prawf", true},
		"a double name in another order":     {"Testwen-Prawf", "Prawf Testwen", true},
		"half a double name":                 {"Prawf", "Prawf-Testwen", false},
		"German ß":                           {"Großprawf", "GROSSPRAWF", true},
		"capital ẞ":                          {"GROẞPRAWF", "Grossprawf", true},
		"an umlaut written as two letters":   {"Muellerin", "Müllerin", true},
		"an umlaut without its dots":         {"Mullerin", "Müllerin", true},
		"dots at one and two at the other":   {"Muellerin", "Mullerin", false},
		"Danish":                             {"Soerprawf", "Sørprawf", true},
		"Polish":                             {"Lprawfska", "Łprawfska", true},
		"Turkish dotless i":                  {"Prawfoglu", "Prawfoğlu", true},
		"Turkish capital İ":                  {"İprawf", "iprawf", true},
		"Turkish ı":                          {"ışık", "ISIK", true},
		"Vietnamese":                         {"Nguyen", "Nguyễn", true},
		"Icelandic":                          {"Thprawf", "Þprawf", true},
		"full width":                         {"Ｐｒａｗｆ", "Prawf", true},
		"Hebrew, with its points or without": {"פְּרָבְף", "פרבף", true},
		"Arabic, with its vowels or without": {"مُحَمَّد", "محمد", true},
		"a stretched Arabic line":            {"محـــمد", "محمد", true},
		"a direction mark":                   {"\u202bPrawf\u202c", "Prawf", true},
		"Cyrillic that looks alike":          {"Рrawf", "Prawf", false},
		"one letter":                         {"A", "a", true},
		"an emoji beside":                    {"Prawf 🏴󠁧󠁢󠁷󠁬󠁳󠁿", "Prawf", true},
		"an emoji alone is nobody's name":    {"🏴", "🏴", false},
		"punctuation alone":                  {"-", "-", false},
		"nothing claimed":                    {"", "Prawf", false},
		"nothing kept":                       {"Prawf", "", false},
		"nothing and nothing":                {"", "", false},
	} {
		claimed := identity.Details{FamilyName: named(row.claimed)}
		differ := identity.Match(claimed, identity.Entry{FamilyName: named(row.kept)})
		if got := !slices.Contains(differ, "family_name"); got != row.want {
			t.Errorf("%s: wanted %v, got %v", name, row.want, got)
		}
	}
}

func TestMatch(t *testing.T) {
	born := must(identity.ParseBirthDate("1984-02-29"))
	number := must(identity.ParseNHSNumber("9990000018"))
	entry := identity.Entry{
		NHSNumber: number, FamilyName: named("Prawf-Testwen"), FormerFamilyName: named("Ó Cynt"), GivenName: named("Siân Mair"), BirthDate: born,
	}
	whole := identity.Details{NHSNumber: number, FamilyName: named("Prawf-Testwen"), GivenName: named("Siân Mair"), BirthDate: born}
	for name, row := range map[string]struct {
		change func(*identity.Details, *identity.Entry)
		want   string
	}{
		"all of it":                    {func(*identity.Details, *identity.Entry) {}, ""},
		"the former family name":       {func(d *identity.Details, _ *identity.Entry) { d.FamilyName = named("O Cynt") }, ""},
		"a short form":                 {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Siani") }, ""},
		"three letters alone":          {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Sia") }, ""},
		"two letters alone":            {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Si") }, "given_name"},
		"an initial":                   {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("S") }, "given_name"},
		"an initial in the register":   {func(_ *identity.Details, e *identity.Entry) { e.GivenName = named("S") }, "given_name"},
		"an initial on both sides":     {func(d *identity.Details, e *identity.Entry) { d.GivenName, e.GivenName = named("S"), named("S.") }, ""},
		"given names in another order": {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Mair Siân") }, ""},
		"the second given name":        {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Mair") }, "given_name"},
		"a short form with a hyphen":   {func(d *identity.Details, e *identity.Entry) { d.GivenName, e.GivenName = named("Jo-Ann"), named("Joa") }, ""},
		"names in each other's place":  {func(d *identity.Details, _ *identity.Entry) { d.FamilyName, d.GivenName = d.GivenName, d.FamilyName }, ""},
		"the same name in both places": {func(d *identity.Details, _ *identity.Entry) { d.FamilyName = d.GivenName }, "family_name"},
		"another family name":          {func(d *identity.Details, _ *identity.Entry) { d.FamilyName = named("Arall") }, "family_name"},
		"another given name":           {func(d *identity.Details, _ *identity.Entry) { d.GivenName = named("Arall") }, "given_name"},
		"a day off": {func(d *identity.Details, _ *identity.Entry) {
			d.BirthDate = must(identity.ParseBirthDate("1984-02-28"))
		}, "birthdate"},
		"day and month in each other's place": {func(d *identity.Details, e *identity.Entry) {
			d.BirthDate, e.BirthDate = must(identity.ParseBirthDate("1984-03-02")), must(identity.ParseBirthDate("1984-02-03"))
		}, "birthdate"},
		"no birth date on either side": {func(d *identity.Details, e *identity.Entry) {
			d.BirthDate, e.BirthDate = identity.BirthDate{}, identity.BirthDate{}
		}, "birthdate"},
		"another number": {func(d *identity.Details, _ *identity.Entry) {
			d.NHSNumber = must(identity.ParseNHSNumber("9990000026"))
		}, "nhs_number"},
		"no number on either side": {func(d *identity.Details, e *identity.Entry) {
			d.NHSNumber, e.NHSNumber = identity.NHSNumber{}, identity.NHSNumber{}
		}, "nhs_number"},
		"nothing claimed":                   {func(d *identity.Details, _ *identity.Entry) { *d = identity.Details{} }, "family_name given_name birthdate nhs_number"},
		"nothing claimed of an empty entry": {func(d *identity.Details, e *identity.Entry) { *d, *e = identity.Details{}, identity.Entry{} }, "family_name given_name birthdate nhs_number"},
		"no contacts, as of the protected":  {func(_ *identity.Details, e *identity.Entry) { e.Protected = true }, ""},
	} {
		d, e := whole, entry
		row.change(&d, &e)
		if got := strings.Join(identity.Match(d, e), " "); got != row.want {
			t.Errorf("%s: wanted %q, got %q", name, row.want, got)
		}
	}
}

// Whatever two people are called, names that match do so in both directions, a
// name is its own match where it has a letter, and nothing matches nothing.
func FuzzNames(f *testing.F) {
	for _, seed := range [][2]string{
		{"Siân", "SIAN"}, {"Ó Flaithbheartaigh", "O'Flaithbheartaigh"}, {"Müller", "Mueller"}, {"İ", "ı"}, {"🏴", "-"}, {"מ\u05b0", "محمد"}, {"Ａ", "a\u0300"}, {"ß", "SS"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		one, err := identity.ParseName(a)
		other, err2 := identity.ParseName(b)
		if err != nil || err2 != nil {
			return
		}
		match := func(x, y identity.Name) bool {
			return !slices.Contains(identity.Match(identity.Details{FamilyName: x}, identity.Entry{FamilyName: y}), "family_name")
		}
		if match(one, other) != match(other, one) {
			t.Error("a match in one direction only")
		}
		if match(one, one) != (len(one.Forms()) > 0) {
			t.Error("a name is not its own match, or no name is")
		}
		for _, form := range one.Forms() {
			if strings.ContainsAny(form, " -'’") || form == "" || form != strings.ToLower(form) {
				t.Error("a form is not folded")
			}
		}
	})
}
