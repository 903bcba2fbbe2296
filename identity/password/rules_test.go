package password_test

import (
	"strings"
	"testing"

	"golang.org/x/text/unicode/norm"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// patient is what somebody knows who knows the patient.
var patient = []string{"sian.test@example.com", "sian.test", "Siân", "Test-Evans", "1984-02-29", "07700900123", "Example Health Board", "Llŷr-Ynyr"}

// Row E2, with [TestCheckTakesTheWholePasswordUnchanged].
func TestJudge(t *testing.T) {
	for name, row := range map[string]struct {
		pw   string
		want password.Fault
	}{
		"eleven":                        {"abcdefghijk", password.TooShort},
		"eleven emoji":                  {strings.Repeat("🦊🐝", 5) + "🐢", password.TooShort},
		"nothing":                       {"", password.TooShort},
		"257":                           {strings.Repeat("xq", 128) + "z", password.TooLong},
		"a megabyte":                    {strings.Repeat("a", 1<<20), password.TooLong},
		"password and digits":           {"Password1234", password.Common},
		"in disguise":                   {"P@ssw0rd!!!!", password.Common},
		"said twice":                    {"passwordpassword", password.Common},
		"two of the commonest":          {"welcomepassword", password.Common},
		"in Welsh":                      {"Cyfrinair2026!", password.Common},
		"one sign":                      {"aaaaaaaaaaaa", password.Common},
		"a short run":                   {"abcabcabcabc", password.Common},
		"digits alone":                  {"123456789012", password.Common},
		"a date and a number":           {"31122011 07700", password.Common},
		"the keyboard, shifted":         {"!QAZ2wsx#EDC", password.Common},
		"the keyboard in threes":        {"qweasdzxc123", password.Common},
		"columns of the keyboard":       {"1qaz@WSX3edc4rfv", password.Common},
		"a walk and a year":             {"qazwsxedc1999", password.Common},
		"keys held down":                {"111222333444", password.Common},
		"spaces alone":                  {"            ", password.Common},
		"spaces about a short run":      {"ab          ", password.Common},
		"a sign for its first letter":   {"$unshine2020!", password.Common},
		"a sign for its last letter":    {"Princes$2020", password.Common},
		"one for an l":                  {"1iverpoo11999", password.Common},
		"one for an i":                  {"1l0vey0u2024!", password.Common},
		"backwards":                     {"drowssap1234", password.Common},
		"backwards, random digits":      {"enihsnus8302957", password.Common},
		"the row of signs":              {"!\"£$%^&*()_+", password.Common},
		"of the real ones":              {"booyah!!!!!!!", password.Common},
		"a long word alone":             {"refrigerator", password.Common},
		"a long word and a sign":        {"Contortionist1", password.Common},
		"a name and a year":             {"Gwendolyn1984", password.Common},
		"a surname said twice":          {"HuxtableHuxtable", password.Common},
		"season, year, season":          {"Summer2024Winter", password.Common},
		"said thrice":                   {"dragon dragon dragon", password.Common},
		"a month in Welsh":              {"Gorffennaf2025", password.Common},
		"the anthem":                    {"Hen wlad fy nhadau", password.Common},
		"the village":                   {"Llanfairpwllgwyngyll1", password.Common},
		"a question":                    {"whatisthepassword?", password.Common},
		"the keyboard":                  {"qwertyuiop[]", password.Common},
		"the keyboard, backwards":       {"poiuytrewq987", password.Common},
		"zigzag":                        {"1qaz2wsx3edc", password.Common},
		"the alphabet":                  {"abcdefghijkl", password.Common},
		"famous":                        {"correcthorsebatterystaple", password.Common},
		"months and years":              {"November2026!", password.Common},
		"own address":                   {"sian.test@example.com", password.Context},
		"own name and digits":           {"SianTest1984", password.Context},
		"own name, accented":            {"siân-siân-2026", password.Context},
		"own name and a common word":    {"siancariad2026", password.Context},
		"own name without its accent":   {"sian1234567890", password.Context},
		"own name in disguise":          {"$i4n-T3st-84", password.Context},
		"parts of a name, accented":     {"YnyrLlyr8302957", password.Context},
		"all own names":                 {"SianTestEvansSian84", password.Context},
		"own address, its parts":        {"example-sian.test", password.Context},
		"own address, in full":          {"SIAN.TEST@EXAMPLE.COM", password.Context},
		"own birth date":                {"29/02/1984 29", password.Context},
		"own birth date, American":      {"x-02-29-1984x", password.Context},
		"own birth date and a word":     {"29021984teapot", password.Context},
		"own number":                    {"tel 07700 900123", password.Context},
		"the organisation":              {"ExampleHealthBoard1", password.Context},
		"the service and a year":        {"dilysdilys2026", password.Context},
		"portal and health":             {"Porth Iechyd 1", password.Context},
		"the service":                   {"NHSpassword123", password.Context},
		"the service in Welsh":          {"iechyd123456", password.Context},
		"three words":                   {"coffee tin roof", ""},
		"three words in Welsh":          {"het goch hir", ""},
		"common words, three of them":   {"purple monkey dragon", ""},
		"lower case only":               {"wobblyteapotsky", ""},
		"spaces around":                 {"  wobbly teapot  ", ""},
		"twelve":                        {"wobblyteapot", ""},
		"three words, two of them one":  {"teapot wobbly teapot", ""},
		"the commonest, three of them":  {"dragon coffee sunshine", ""},
		"own name and two words":        {"sian wobbly teapot", ""},
		"a word and a random number":    {"refrigerator8302957", ""},
		"a manager's, with a word":      {"37:(^M8>aB]>]", ""},
		"a short word, random digits":   {"dad8472639105", ""},
		"a manager's":                   {"k7#J9$2e8!4x", ""},
		"a manager's, hardly a letter":  {"9#4$8@7!2%5&a", ""},
		"a manager's, no letter":        {"9#4$8@7!2%5&", ""},
		"a manager's, long":             {"u3WqZp-8rT!xLm2v_Yb6", ""},
		"a sentence in Welsh":           {"Mae'r gath ar y to", ""},
		"with circumflexes":             {"tŷ mawr gwyn ŵy", ""},
		"in Greek":                      {"καλημέρα κόσμε", ""},
		"in Chinese":                    {"我的猫喜欢在屋顶上睡觉", password.TooShort},
		"in Chinese, twelve":            {"我的猫很喜欢在屋顶上睡觉", ""},
		"256 composed, decomposed":      {norm.NFD.String(strings.Repeat("ŵyŷtrêpâf", 28) + "dros"), ""},
		"one more":                      {norm.NFD.String(strings.Repeat("ŵyŷtrêpâf", 28) + "drosi"), password.TooLong},
		"emoji":                         {"🦊🐝🐢🦊🐙🐝🐌🦉🐢🐙🐌🦉", ""},
		"256":                           {strings.Repeat("wobbly teapot sk", 16), ""},
		"decomposed letters count once": {"wobblyteap" + "o\u0302", password.TooShort},
	} {
		if got := password.Judge(identity.Secret(row.pw), patient); got != row.want {
			t.Errorf("%s: wanted %q, got %q", name, row.want, got)
		}
	}
}

func FuzzJudge(f *testing.F) {
	for _, seed := range []string{"", "password", "qwertyuiop[]", "ŵ🦊", "\xff\xfe", strings.Repeat("a", 300)} {
		f.Add(seed, "Siân")
	}
	f.Fuzz(func(t *testing.T, pw, context string) {
		fault := password.Judge(identity.Secret(pw), []string{context})
		if len(pw) < password.Shortest && fault != password.TooShort {
			t.Errorf("wanted too-short for %d bytes, got %q", len(pw), fault)
		}
	})
}

func BenchmarkJudge(b *testing.B) {
	for name, pw := range map[string]string{
		"usual":   "coffee tin roof",
		"longest": strings.Repeat("wobbly teapot sk", 16),
		"spelt":   strings.Repeat("sian", 15) + "é1!",
		"signs":   "1!" + strings.Repeat("a1!|0$", 42) + "1!",
		"huge":    strings.Repeat("a\u0302", 1<<19),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				password.Judge(identity.Secret(pw), patient)
			}
		})
	}
}
