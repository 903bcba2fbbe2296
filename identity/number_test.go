package identity_test

import (
	"strings"
	"testing"

	"github.com/dilys-id/dilys/identity"
)

// whole puts the check digit behind nine digits. It knows the rule by itself
// (weights 10 to 2, modulus 11), and fails where there is none.
func whole(t *testing.T, nine string) string {
	t.Helper()
	for check := '0'; check <= '9'; check++ {
		sum := int(check - '0')
		for i, r := range nine {
			sum += int(r-'0') * (10 - i)
		}
		if sum%11 == 0 {
			return nine + string(check)
		}
	}
	t.Fatalf("%s: no digit checks it", nine)
	return ""
}

func TestNumberRange(t *testing.T) {
	for nine, want := range map[string]identity.NumberRange{
		"010000001": identity.ScotlandCHI,
		"311299999": identity.ScotlandCHI,
		"311300001": identity.Unissued,
		"000000004": identity.Unissued,
		"320000001": identity.NorthernIreland,
		"399999998": identity.NorthernIreland,
		"400000000": identity.EnglandWales,
		"499999999": identity.EnglandWales,
		"500000001": identity.Unissued,
		"600000000": identity.EnglandWales,
		"799999998": identity.EnglandWales,
		"800000001": identity.Ireland,
		"859999999": identity.Ireland,
		"860000001": identity.Unissued,
		"900000000": identity.TestNumbers,
		"999000001": identity.TestNumbers,
	} {
		n := must(identity.ParseNHSNumber(whole(t, nine)))
		if got := n.Range(); got != want {
			t.Errorf("%s: wanted %s, got %s", nine, want, got)
		}
	}
	if got := (identity.NHSNumber{}).Range(); got != "" {
		t.Errorf("no number: got %s", got)
	}
}

func TestCheckNHSNumber(t *testing.T) {
	for name, row := range map[string]struct {
		typed string
		want  identity.NumberFault
	}{
		"as printed":                          {"943 476 5919", ""},
		"hyphens":                             {"943-476-5919", ""},
		"pasted, with gaps that do not break": {"\u00a0943\u00a0476\u20095919\u200b\n", ""},
		"an en dash":                          {"943–476–5919", ""},
		"nothing":                             {"", identity.NumberMissing},
		"gaps alone":                          {" \u00a0- ", identity.NumberMissing},
		"nine digits":                         {"943 476 591", identity.NumberTooShort},
		"eleven digits":                       {"943 476 59190", identity.NumberTooLong},
		"a wrong digit":                       {"943 476 5918", identity.NumberCheckDigit},
		"two digits in each other's place":    {"934 476 5919", identity.NumberCheckDigit},
		"no digit would check it":             {"999 123 4567", identity.NumberCheckDigit},
		"a letter":                            {"943 476 591O", identity.NumberNotDigits},
		"a sign":                              {"+943476591", identity.NumberNotDigits},
		"a National Insurance number":         {"QQ 12 34 56 C", identity.NumberNationalInsurance},
		"in small letters":                    {"qq123456c", identity.NumberNationalInsurance},
		"without its last letter":             {"QQ 12 34 56", identity.NumberNationalInsurance},
		"Arabic-Indic digits":                 {"٩٤٣٤٧٦٥٩١٩", identity.NumberForeignDigits},
		"full-width digits":                   {"９４３４７６５９１９", identity.NumberForeignDigits},
		"superscripts":                        {"⁹⁴³⁴⁷⁶⁵⁹¹⁹", identity.NumberNotDigits},
		"fours":                               {"444 444 4444", identity.NumberRepeated},
		"noughts":                             {"000 000 0000", identity.NumberRepeated},
		"a CHI number":                        {whole(t, "010190123"), identity.NumberScotland},
		"of Northern Ireland":                 {whole(t, "320000001"), identity.NumberNorthernIreland},
		"of Ireland":                          {whole(t, "800000001"), identity.NumberIreland},
		"nobody's":                            {whole(t, "500000001"), identity.NumberUnissued},
		"SQL":                                 {"' OR 1=1 --", identity.NumberNotDigits},
		"broken text":                         {"\xff\xfe", identity.NumberNotDigits},
	} {
		n, got := identity.CheckNHSNumber(row.typed)
		if got != row.want || n.IsZero() != (row.want != "") {
			t.Errorf("%s: wanted %q, got %q", name, row.want, got)
		}
	}
}

// Whatever is typed is a number or has a fault, never both, and a number is one
// that the strict reader takes too.
func FuzzCheckNHSNumber(f *testing.F) {
	for _, seed := range []string{"943 476 5919", "QQ123456C", "٩٤٣", "", "\x00", "4444444444", strings.Repeat("9", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		n, fault := identity.CheckNHSNumber(typed)
		if n.IsZero() == (fault == "") {
			t.Errorf("a number %v and the fault %q", !n.IsZero(), fault)
		}
		if again, err := identity.ParseNHSNumber(n.Reveal()); fault == "" && (err != nil || again != n) {
			t.Error("a number that is none")
		}
	})
}
