package identity

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestParseNHSNumber(t *testing.T) {
	for _, text := range []string{"9000000009", "9912003071", "9434765919", "9661034524", "990 000 0018", "943-476-5919"} {
		if _, err := ParseNHSNumber(text); (err == nil) != (text != "990 000 0018") {
			t.Errorf("%s: %v", text, err)
		}
	}
	for name, text := range map[string]string{
		"empty":                          "",
		"nine digits":                    "900000000",
		"eleven digits":                  "90000000090",
		"wrong check digit":              "9434765918",
		"check digit would be ten":       "9991234567",
		"letters":                        "943476591a",
		"Arabic-Indic digits":            "٩٤٣٤٧٦٥٩١٩",
		"a National Insurance number":    "QQ123456C",
		"the number of a different kind": "+447700900000",
	} {
		if _, err := ParseNHSNumber(text); err == nil {
			t.Errorf("%s: %q was accepted", name, text)
		} else if text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("%s: the error repeats the value", name)
		}
	}
	n, _ := ParseNHSNumber("9434765919")
	if n.Spaced() != "943 476 5919" || (NHSNumber{}).Spaced() != "" {
		t.Errorf("spaced as %q", n.Spaced())
	}
}

func TestPersonalValuesCannotBePrinted(t *testing.T) {
	number, _ := ParseNHSNumber("9434765919")
	email, _ := ParseEmail("mair@example.com")
	phone, _ := ParsePhone("07700 900123")
	name, _ := ParseName("Prawf")
	born, _ := ParseBirthDate("1980-02-29")
	all := Details{NHSNumber: number, Email: email, Phone: phone, FamilyName: name, BirthDate: born}
	var text string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text += fmt.Sprintf(verb, all) + fmt.Sprintf(verb, Secret("hunter2"))
	}
	if b, err := json.Marshal(struct {
		D Details
		S Secret
	}{all, "hunter2"}); err == nil {
		text += string(b)
	}
	for _, leak := range []string{"9434765919", "mair", "07700", "900123", "Prawf", "1980", "hunter2"} {
		if strings.Contains(text, leak) {
			t.Errorf("%s was printed", leak)
		}
	}
}

func TestSecretEqual(t *testing.T) {
	if Secret("").Equal("") {
		t.Error("empty equals empty")
	}
	if Secret("a").Equal("b") || !Secret("a").Equal("a") {
		t.Error("comparison is wrong")
	}
	if first, second := NewToken(), NewToken(); first == second || len(NewToken()) != 43 || len(NewID()) != 22 {
		t.Error("tokens repeat or have a wrong length")
	}
}

func TestNewIDReadsAsNoFlag(t *testing.T) {
	for range 2000 { // one in 64 began with a hyphen
		if id := NewID(); len(id) != 22 || id[0] == '-' {
			t.Fatalf("%q is no name to give to a command", id)
		}
	}
}

func TestAge(t *testing.T) {
	day := func(s string) time.Time { d, _ := time.Parse(time.DateOnly, s); return d }
	for name, row := range map[string]struct {
		born, at string
		want     int
	}{
		"the day before the birthday":          {"2010-11-22", "2026-11-21", 15},
		"the birthday":                         {"2010-11-21", "2026-11-21", 16},
		"born on a leap day, 28 February":      {"2008-02-29", "2024-02-28", 15},
		"born on a leap day, leap year":        {"2008-02-29", "2024-02-29", 16},
		"born on a leap day, 28 February 2026": {"2008-02-29", "2026-02-28", 17},
		"born on a leap day, 1 March 2026":     {"2008-02-29", "2026-03-01", 18},
	} {
		born, err := ParseBirthDate(row.born)
		if err != nil {
			t.Fatal(err)
		}
		if got := born.AgeOn(day(row.at)); got != row.want {
			t.Errorf("%s: got %d", name, got)
		}
		if reached := born.Reaches(row.want); reached.After(day(row.at)) {
			t.Errorf("%s: reaches %d only on %s", name, row.want, reached)
		}
	}
	for _, bad := range []string{"", "2007-02-29", "27/3/2007", "1500-01-01", "2007-3-27"} {
		if _, err := ParseBirthDate(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestOldEnough(t *testing.T) {
	for name, row := range map[string]struct {
		age, minimum int
		floor        Proofing
		want         bool
	}{
		"old enough":                      {16, 16, P9, true},
		"too young":                       {15, 16, P9, false},
		"no age where P0 is enough":       {AgeUnknown, 16, P0, true},
		"no age where proof is asked":     {AgeUnknown, 16, P5, false},
		"no age and no question":          {AgeUnknown, 0, P9, true},
		"too young although P0 is enough": {15, 16, P0, false},
		"an infant where no age is asked": {0, 0, P9, true},
	} {
		if got := OldEnough(row.age, row.minimum, row.floor); got != row.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestChangedNamesFieldsOnly(t *testing.T) {
	a, _ := ParseEmail("mair@example.com")
	b, _ := ParseEmail("mair@example.org")
	got := Details{Email: a}.Changed(Details{Email: b, PhoneVerified: true})
	if strings.Join(got, " ") != "email phone_number" {
		t.Errorf("got %v", got)
	}
}
