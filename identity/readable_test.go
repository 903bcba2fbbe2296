package identity

import (
	"math"
	"strings"
	"testing"
)

func TestReadableCodeHoldsItsBits(t *testing.T) {
	for _, row := range []struct{ bits, letters int }{{1, 1}, {4, 1}, {19, 4}, {20, 5}, {64, 14}, {65, 14}, {66, 14}, {128, 27}} {
		plain := strings.ReplaceAll(ReadableCode(row.bits).Reveal(), "-", "")
		if len(plain) != row.letters {
			t.Errorf("%d bits: wanted %d letters, got %d", row.bits, row.letters, len(plain))
		}
		if held := float64(len(plain)) * math.Log2(float64(len(referenceAlphabet))); held < float64(row.bits) {
			t.Errorf("wanted %d bits, got %.1f", row.bits, held)
		}
	}
}

func TestReadableCodeIsUniform(t *testing.T) {
	const rounds = 4000
	count, codes := map[rune]int{}, map[Secret]bool{}
	for range rounds {
		code := ReadableCode(65)
		if text := code.Reveal(); len(text) != len("7F3K-Q2MA-W9TX-4C") || text[4] != '-' || text[9] != '-' || text[14] != '-' {
			t.Fatal("wanted the form 7F3K-Q2MA-W9TX-4C, got another")
		}
		if again, ok := ParseReadableCode(code, 65); !ok || again != code {
			t.Fatal("wanted a code read as it was given")
		}
		codes[code] = true
		for _, r := range strings.ReplaceAll(code.Reveal(), "-", "") {
			count[r]++
		}
	}
	if len(codes) != rounds {
		t.Errorf("wanted %d different codes, got %d", rounds, len(codes))
	}
	// 56000 letters hold 2074 of each on average, with a deviation of 45; ten
	// deviations off is no accident.
	mean := rounds * 14 / len(referenceAlphabet)
	for _, r := range referenceAlphabet {
		if n := count[r]; n < mean-450 || n > mean+450 {
			t.Errorf("%c came %d times, wanted about %d", r, n, mean)
		}
	}
}

func TestParseReadableCode(t *testing.T) {
	const want = "7F3K-Q2MA-W9TX-4C"
	for name, text := range map[string]string{
		"as it was given":             want,
		"in small letters":            "7f3k-q2ma-w9tx-4c",
		"without hyphens":             "7F3KQ2MAW9TX4C",
		"with spaces":                 "7F3K Q2MA W9TX 4C",
		"letter by letter":            "7 f 3 k q 2 m a w 9 t x 4 c",
		"dashes of a word processor":  "7F3K–Q2MA—W9TX‑4C",
		"a space that does not break": "7F3K\u00a0Q2MA\u00a0W9TX\u00a04C",
		"a line end":                  "7F3K-Q2MA-W9TX-4C\r\n",
		"in two lines":                "7F3K-Q2MA-\nW9TX-4C",
	} {
		if got, ok := ParseReadableCode(Secret(text), 65); !ok || got != want {
			t.Errorf("%s: %q was read as %q, %v", name, text, got.Reveal(), ok)
		}
	}
	for name, text := range map[string]string{
		"empty":                        "",
		"hyphens alone":                "----",
		"a letter short":               "7F3K-Q2MA-W9TX-4",
		"a letter long":                "7F3K-Q2MA-W9TX-4C2",
		"a letter that is never given": "7F3K-Q2MA-W9TX-4O",
		"a nought":                     "7F3K-Q2MA-W9TX-40",
		"a small letter that grows up": "7F3K-Q2MA-W9TX-4ı",
		"letters of another script":    "7F3\u041a-Q2MA-W9TX-4C",
		"digits of another script":     "\u0667F3K-Q2MA-W9TX-4C",
		"a letter that looks the same": "7F3\u212a-Q2MA-W9TX-4C",
		"a search for every code":      "%%%%-%%%%-%%%%-%%",
		"a NUL":                        "7F3K-Q2MA-W9TX-4C\x00",
		"broken bytes":                 strings.Repeat("\xff", 14),
		"a megabyte of spaces":         want + strings.Repeat(" ", 1<<20),
	} {
		if got, ok := ParseReadableCode(Secret(text), 65); ok || got != "" {
			t.Errorf("%s: %.40q was read as %q", name, text, got.Reveal())
		}
	}
}

func FuzzParseReadableCode(f *testing.F) {
	for _, seed := range []string{"7F3K-Q2MA-W9TX-4C", "7f3kq2maw9tx4c", " 7 f 3 k q 2 m a w 9 t x 4 c ", "", "----", "7F3K–Q2MA—W9TX‑4C", "7F3K-Q2MA-W9TX-4\u0131", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseReadableCode(Secret(s), 65)
		if !ok {
			if got != "" {
				t.Fatalf("%q is none, and came out as %q", s, got.Reveal())
			}
			return
		}
		text := got.Reveal()
		if len(text) != 17 || text[4] != '-' || text[9] != '-' || text[14] != '-' || strings.Trim(strings.ReplaceAll(text, "-", ""), referenceAlphabet) != "" {
			t.Fatalf("%q came out as %q", s, text)
		}
		if again, ok := ParseReadableCode(got, 65); !ok || again != got {
			t.Fatalf("%q is not stable", text)
		}
	})
}

func TestParseDigits(t *testing.T) {
	for name, row := range map[string]struct {
		typed string
		want  string
	}{
		"plain":                       {"012345", "012345"},
		"as an app shows it":          {"012 345", "012345"},
		"with hyphens and spaces":     {" 01-23-45 ", "012345"},
		"a space that does not break": {"012\u00a0345", "012345"},
		"a line end":                  {"012345\r\n", "012345"},
		"a digit too few":             {"01234", ""},
		"a digit too many":            {"0123456", ""},
		"two codes":                   {"012345 012345", ""},
		"a letter":                    {"01234O", ""},
		"a sign":                      {"+12345", ""},
		"a decimal":                   {"0.1234", ""},
		"digits of another script":    {"٠١٢٣٤٥", ""},
		"digits of full width":        {"\uff10\uff11", ""},
		"a NUL":                       {"012345\x00", ""},
		"nothing":                     {"", ""},
		"longer than anybody types":   {"012345" + strings.Repeat(" ", 123), ""},
	} {
		if got, ok := ParseDigits(Secret(row.typed), 6); got.Reveal() != row.want || ok != (row.want != "") {
			t.Errorf("%s: wanted %q, got %q, %v", name, row.want, got.Reveal(), ok)
		}
	}
	if _, ok := ParseDigits("", 0); ok {
		t.Error("nothing is no code of no digits")
	}
}

func FuzzParseDigits(f *testing.F) {
	for _, seed := range []string{"012345", "012 345", "01-23-45", "", "      ", "٠١٢٣٤٥", "\uff10\uff11", "\xff", "1e5000", "-12345"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, ok := ParseDigits(Secret(s), 6)
		if !ok {
			if got != "" {
				t.Fatalf("%q is none, and came out as %q", s, got.Reveal())
			}
			return
		}
		if len(got) != 6 || strings.Trim(got.Reveal(), "0123456789") != "" {
			t.Fatalf("%q came out as %q", s, got.Reveal())
		}
		if again, ok := ParseDigits(got, 6); !ok || again != got {
			t.Fatalf("%q is not stable", got.Reveal())
		}
	})
}
