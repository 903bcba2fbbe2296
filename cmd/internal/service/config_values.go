package service

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dilys-id/dilys/identity"
)

// maxText bounds a text for patients or auditors, in bytes.
const maxText = 2000

// oneLine reads one line of text.
func (v value) oneLine() string {
	return read(v, "text", judgeLine)
}

func judgeLine(text string) (string, string) {
	if strings.TrimSpace(text) == "" || len(text) > maxText || strings.ContainsFunc(text, unicode.IsControl) {
		return "", fmt.Sprintf("one line of text of at most %d bytes", maxText)
	}
	return text, ""
}

// text reads text of one or more lines.
func (v value) text() string {
	return read(v, "text", func(text string) (string, string) {
		text = strings.TrimSpace(text)
		if _, wanted := judgeLine(strings.ReplaceAll(text, "\n", " ")); wanted != "" {
			return "", fmt.Sprintf("text of at most %d bytes", maxText)
		}
		return text, ""
	})
}

// spoken are the languages that pages are written in.
var spoken = []string{"en", "cy"}

// words reads a text in every configured language.
func (v value) words() Text {
	if v.node == nil && !v.need {
		return nil
	}
	if v.node != nil && v.node.kind == scalarKind {
		v.refuse("the text in each language: {"+strings.Join(v.languages, ": …, ")+": …}", v.describe())
		return nil
	}
	m := v.mapping()
	defer m.close()
	return m.words()
}

// words reads the languages of a mapping that may hold other keys.
func (m *mapping) words() Text {
	t := Text{}
	for _, lang := range spoken {
		v := m.at(lang)
		if slices.Contains(m.languages, lang) {
			v = v.required()
		}
		if text := v.text(); text != "" {
			t[lang] = text
		}
	}
	return t
}

// flag reads true or false, which may be written yes or no.
func (v value) flag() bool {
	return read(v, "true or false", func(text string) (bool, string) {
		switch text {
		case "true", "yes":
			return true, ""
		case "false", "no":
			return false, ""
		}
		return false, "true or false"
	})
}

// choice reads one of some words.
func (v value) choice(words ...string) string {
	wanted := strings.Join(words, " or ")
	return read(v, wanted, func(text string) (string, string) {
		if !slices.Contains(words, text) {
			return "", meant(wanted, text, words)
		}
		return text, ""
	})
}

// meant adds the word that was probably meant.
func meant(wanted, text string, words []string) string {
	if near := nearest(text, words); near != "" {
		return wanted + ", did you mean " + near
	}
	return wanted
}

// years reads an age of that or more.
func (v value) years(least int) int {
	const most = 25
	return v.whole("whole years", least, most)
}

// number reads how many.
func (v value) number(least, most int) int { return v.whole("a number", least, most) }

func (v value) whole(what string, least, most int) int {
	wanted := fmt.Sprintf("%s of %d to %d", what, least, most)
	return read(v, wanted, func(text string) (int, string) {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most || strconv.Itoa(n) != text {
			return 0, wanted
		}
		return n, ""
	})
}

// span reads a length of time such as 30m.
func (v value) span(least, most time.Duration) time.Duration {
	wanted := fmt.Sprintf("a time of %s to %s, such as 90s, 30m, 12h or 30d", brief(least), brief(most))
	return read(v, wanted, func(text string) (time.Duration, string) {
		d, ok := parseSpan(text)
		if !ok || d < least || d > most {
			return 0, wanted
		}
		return d, ""
	})
}

var spanPattern = regexp.MustCompile(`^([1-9][0-9]{0,5})([smhd])$`)

// parseSpan reads a number with one unit.
func parseSpan(text string) (time.Duration, bool) {
	parts := spanPattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	units := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}
	return time.Duration(n) * units[parts[2]], err == nil
}

// brief writes a length of time as [parseSpan] reads it.
func brief(d time.Duration) string {
	switch {
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return fmt.Sprintf("%ds", d/time.Second)
}

// day reads a date and returns its midnight, UTC.
func (v value) day() time.Time {
	const wanted = "a date such as 2027-06-30"
	return read(v, wanted, func(text string) (time.Time, string) {
		t, err := time.Parse(time.DateOnly, text)
		if err != nil || t.Year() < 2000 {
			return time.Time{}, wanted
		}
		return t, ""
	})
}

// instant reads a time of RFC 3339.
func (v value) instant() time.Time {
	const wanted = "a time such as 2027-01-31T06:00:00Z"
	return read(v, wanted, func(text string) (time.Time, string) {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, wanted
		}
		return t, ""
	})
}

// networks reads a list of networks. One wider than any private range is refused:
// a typing error must not make everybody trusted.
func (v value) networks() []netip.Prefix {
	return readAll(v, "a network such as 10.1.0.0/16", func(text string) (netip.Prefix, string) {
		p, err := netip.ParsePrefix(text)
		if addr, single := netip.ParseAddr(text); single == nil && addr.Zone() == "" {
			p, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		switch {
		case err != nil || p.Addr().Is4In6():
			return p, "a network such as 10.1.0.0/16 or an address"
		case p != p.Masked():
			return p, "a network without bits after its mask, such as " + p.Masked().String()
		case p.Bits() < narrowest(p):
			return p, fmt.Sprintf("a network of /%d or narrower", narrowest(p))
		}
		return p, ""
	})
}

// narrowest allows the private networks of both families as a whole (RFC 1918,
// RFC 4193), and nothing wider.
func narrowest(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 8
	}
	return 7
}

// idPattern is for what stands in addresses, logs and metrics.
var idPattern = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)

// id reads the name of a portal or provider, one that taken does not have.
func (v value) id(taken, reserved []string) string {
	return read(v.required(), "an id", func(text string) (string, string) {
		switch {
		case !idPattern.MatchString(text):
			return "", "1 to 32 of a-z, 0-9 and -"
		case slices.Contains(reserved, text):
			return "", "an id that is no page of our own"
		case slices.Contains(taken, text):
			return "", "an id of its own"
		}
		return text, ""
	})
}

// vectors reads a list of vectors of trust.
func (v value) vectors() []identity.Trust {
	return readAll(v, "a vector such as P9.Cp.Cd", judgeVector)
}

func judgeVector(text string) (identity.Trust, string) {
	t, err := identity.ParseTrust(text)
	if err != nil {
		return t, "a vector such as P9.Cp.Cd"
	}
	return t, ""
}

// path reads the name of a file or folder and returns it absolute; a relative one
// starts at the folder of the configuration.
func (v value) path() string {
	const wanted = "a path"
	return read(v, wanted, func(text string) (string, string) {
		if text == "" || strings.ContainsFunc(text, unicode.IsControl) {
			return "", wanted
		}
		return v.absolute(text), ""
	})
}

func (r *reading) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(r.folder, path)
}
