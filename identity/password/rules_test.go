package password_test

import (
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/password"
)

// patient is what somebody knows who knows the patient.
var patient = []string{"sian.test@example.com", "sian.test", "Siân", "Test-Evans", "1984-02-29", "07700900123", "Example Health Board"}

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
		"a date and a number":           {"29021984 07700", password.Common},
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
		"the service":                   {"NHSpassword123", password.Context},
		"the service in Welsh":          {"iechyd123456", password.Context},
		"three words":                   {"coffee tin roof", ""},
		"three words in Welsh":          {"het goch hir", ""},
		"common words, three of them":   {"purple monkey dragon", ""},
		"lower case only":               {"wobblyteapotsky", ""},
		"spaces around":                 {"  wobbly teapot  ", ""},
		"twelve":                        {"wobblyteapot", ""},
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
	long := identity.Secret(strings.Repeat("wobbly teapot sk", 16))
	for b.Loop() {
		password.Judge(long, patient)
	}
}
