package courier

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"unicode/utf8"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
)

// houses are organisations as they come, the longest names and addresses among
// them.
var houses = map[string]Options{
	"usual": {
		Organisation: map[string]string{english: "Example Health Board", welsh: "Bwrdd Iechyd Enghreifftiol"},
		PublicURL:    "https://login.example.nhs.uk", Help: "029 2000 0000",
	},
	"a long name and no phone": {
		Organisation: map[string]string{english: "Betsi Cadwaladr University Health Board", welsh: "Bwrdd Iechyd Prifysgol Betsi Cadwaladr"},
		PublicURL:    "https://login.myhealthandwellbeing.wales.nhs.uk",
	},
	"the longest name there may be": {
		Organisation: map[string]string{english: strings.Repeat("Health ", 14) + "Ho", welsh: strings.Repeat("Iechyd ", 14) + "Ty"},
		PublicURL:    "https://" + strings.Repeat("a", 50-len(".nhs.uk")) + ".nhs.uk", Help: "029 2000 0000",
	},
	"one word without an end": {
		Organisation: map[string]string{english: strings.Repeat("x", 100), welsh: strings.Repeat("w", 100)},
		PublicURL:    "https://login.example.nhs.uk",
	},
	"a name with a circumflex, and none in English": {
		Organisation: map[string]string{welsh: "Bwrdd Iechyd Tŷ’r Dŵr Bâch"}, PublicURL: "http://localhost:8080",
	},
	"one name for both": {
		Organisation: map[string]string{english: "Dilys", welsh: "Dilys"}, PublicURL: "https://login.example.nhs.uk/",
	},
}

func house(t *testing.T, o Options) *Courier {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eachText calls fn with every text of every house.
func eachText(t *testing.T, fn func(t *testing.T, c *Courier, m outbox.Message, body string)) {
	for name, o := range houses {
		t.Run(name, func(t *testing.T) {
			c := house(t, o)
			for _, kind := range outbox.Kinds() {
				for _, lang := range []string{english, welsh, ""} {
					if !kind.Goes(identity.BySMS) {
						continue
					}
					m := outbox.Message{Kind: kind, Language: lang, To: identity.Contact{Channel: identity.BySMS}, Params: params(c, kind)}
					l, err := c.word(m)
					if err != nil {
						t.Errorf("%s %q: %v", kind, lang, err)
						continue
					}
					fn(t, c, m, l.Body.Reveal())
				}
			}
		})
	}
}

// params fills what a kind carries.
func params(c *Courier, kind outbox.Kind) map[string]identity.Secret {
	all := map[string]string{
		"code": "123456", "link": c.origin + "/account/" + strings.Repeat("k", maxPath-len("/account/")), "address": strings.Repeat("long", 16) + "@example.com",
	}
	p := map[string]identity.Secret{}
	for _, name := range kind.Params() {
		p[name] = identity.Secret(all[name])
	}
	return p
}

func TestTextsAreOneSegment(t *testing.T) {
	longest := 0
	eachText(t, func(t *testing.T, _ *Courier, m outbox.Message, body string) {
		n, ok := septets(body)
		longest = max(longest, n)
		if !ok || n > 160 {
			t.Errorf("%s %q: %d septets, GSM-7 %v: %s", m.Kind, m.Language, n, ok, body)
		}
	})
	if longest < 150 {
		t.Errorf("the longest text has %d septets: the houses are too short to tell", longest)
	}
}

// The code first, and last the line that binds it to our address; who from and
// never to share between them.
func TestCodesStandWhereTheyShould(t *testing.T) {
	eachText(t, func(t *testing.T, c *Courier, m outbox.Message, body string) {
		if m.Params["code"] == "" {
			if strings.Contains(body, "123456") || strings.Contains(body, "@"+c.host) {
				t.Errorf("%s %q: %s", m.Kind, m.Language, body)
			}
			return
		}
		if !strings.HasPrefix(body, "123456 ") || !strings.HasSuffix(body, "\n@"+c.host+" #123456") {
			t.Errorf("%s %q: %s", m.Kind, m.Language, body)
		}
		for lang, never := range map[string]string{english: "Never share", welsh: "Na rannwch"} {
			if (m.Language == lang || m.Language == "") != strings.Contains(body, never) {
				t.Errorf("%s %q: %s", m.Kind, m.Language, body)
			}
		}
		for _, name := range c.names[languageOf(m)] {
			if !strings.Contains(body, name[:min(len(name), 5)]) {
				t.Errorf("%s %q does not say who it is from: %s", m.Kind, m.Language, body)
			}
		}
	})
}

// Whole names where they fit: the usual house loses nothing.
func TestUsualNamesAreWhole(t *testing.T) {
	c := house(t, houses["usual"])
	for lang, want := range map[string]string{
		"":      "123456 - cod mewngofnodi / login code\nBwrdd Iechyd Enghreifftiol / Example Health Board\nNa rannwch / Never share\n@login.example.nhs.uk #123456",
		english: "123456 is your code to log in with Example Health Board. Never share it with anyone.\n@login.example.nhs.uk #123456",
		welsh:   "123456 yw eich cod mewngofnodi Bwrdd Iechyd Enghreifftiol. Na rannwch ef gyda neb.\n@login.example.nhs.uk #123456",
	} {
		l, err := c.word(outbox.Message{
			Kind: outbox.CodeLogin, Language: lang, To: identity.Contact{Channel: identity.BySMS}, Params: map[string]identity.Secret{"code": "123456"},
		})
		if err != nil || l.Body.Reveal() != want {
			t.Errorf("%q: %v\n%s", lang, err, l.Body.Reveal())
		}
	}
}

func TestSignature(t *testing.T) {
	betsi := []string{"Bwrdd Iechyd Prifysgol Betsi Cadwaladr", "Betsi Cadwaladr University Health Board"}
	for name, row := range map[string]struct {
		names []string
		room  int
		want  string
	}{
		"whole":                          {betsi, 80, betsi[0] + " / " + betsi[1]},
		"one septet short":               {betsi, 79, betsi[0] + " / Betsi Cadwaladr University Health.."},
		"cut at words":                   {betsi, 50, "Bwrdd Iechyd.. / Betsi Cadwaladr University.."},
		"a short name leaves its rest":   {[]string{"Dilys", betsi[1]}, 40, "Dilys / Betsi Cadwaladr University.."},
		"too little for both":            {betsi, 18, ""},
		"just enough":                    {betsi, 19, "Bwrdd.. / Betsi.."},
		"no room":                        {betsi, -30, ""},
		"one name":                       {betsi[:1], 30, "Bwrdd Iechyd Prifysgol Betsi.."},
		"one word":                       {[]string{strings.Repeat("x", 100)}, 20, strings.Repeat("x", 18) + ".."},
		"never half of a double letter":  {[]string{"€€€€€€€€€€€€"}, 11, "€€€€.."},
		"a word that ends at the border": {[]string{"Example Health Board"}, 16, "Example Health.."},
		"nothing, of no names":           {nil, 20, ""},
		"a comma is no end":              {[]string{"Health, Board and more"}, 12, "Health.."},
	} {
		got := signature(row.names, row.room)
		if n, _ := septets(got); got != row.want || row.room > 0 && n > row.room {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func TestSeptets(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "abc": 3, "@£$¥èéùìòÇ": 10, "{}": 4, "€": 2, "[x]^~\\|": 13, "line\nend": 8, "àäöñüß": 6,
		"â": -1, "ŵ": -1, "ŷ": -1, "’": -1, "“": -1, "`": -1, "\t": -1, "😀": -1, "a\x00": -1, "ç": -1, "\x1b": -1,
	} {
		if n, ok := septets(text); ok != (want >= 0) || ok && n != want {
			t.Errorf("%q: got %d, %v", text, n, ok)
		}
	}
	if n := utf8.RuneCountInString(gsmBasic); n != 127 { // the escape is no character
		t.Errorf("the default table has %d characters", n)
	}
}

func FuzzCut(f *testing.F) {
	for _, seed := range []string{"", "a", "Example Health Board", "€€€ {}", "  ", "a  b", "word-"} {
		f.Add(seed, 10)
	}
	f.Fuzz(func(t *testing.T, s string, room int) {
		if _, ok := septets(s); !ok || room < 0 || room > 200 {
			return
		}
		if n, ok := septets(cut(s, room)); !ok || n > room {
			t.Errorf("%q in %d became %d septets", s, room, n)
		}
	})
}

// Every letter of a message of ours is the organisation's own or plain: no markup
// that a vendor would turn into something else.
func TestMailsAreWhole(t *testing.T) {
	c := house(t, houses["usual"])
	markup := regexp.MustCompile(`(?m)^([#*+>^-] |[0-9]+\.|[ \t]+\S)|\(\(|\]\(|\*\*|__`)
	for _, kind := range outbox.Kinds() {
		for _, lang := range []string{english, welsh, ""} {
			if !kind.Goes(identity.ByEmail) {
				continue
			}
			l, err := c.word(outbox.Message{Kind: kind, Language: lang, To: identity.Contact{Channel: identity.ByEmail}, Params: params(c, kind)})
			if err != nil {
				t.Errorf("%s %q: %v", kind, lang, err)
				continue
			}
			body := l.Body.Reveal()
			if l.Subject == "" || strings.ContainsAny(l.Subject, "\r\n") || strings.Contains(l.Subject, "123456") || strings.ContainsAny(body, "{}\r") {
				t.Errorf("%s %q: %s", kind, lang, l.Subject)
			}
			if at := markup.FindString(body); at != "" {
				t.Errorf("%s %q: %q is markup to Notify", kind, lang, at)
			}
			if _, hasCode := params(c, kind)["code"]; hasCode && !strings.HasPrefix(body, "123456 ") {
				t.Errorf("%s %q: the code does not stand first: %.40s", kind, lang, body)
			}
			for _, link := range regexp.MustCompile(`\S*://\S*`).FindAllString(body, -1) {
				if !strings.HasPrefix(link, "https://login.example.nhs.uk/") {
					t.Errorf("%s %q: a link leads elsewhere: %s", kind, lang, link)
				}
			}
			cy, en := strings.Index(body, "Peidiwch byth â rhannu cod"), strings.Index(body, "Never share a code or your password")
			if (cy >= 0) != (lang != english) || (en >= 0) != (lang != welsh) || lang == "" && cy > en {
				t.Errorf("%s %q: Welsh at %d, English at %d", kind, lang, cy, en)
			}
		}
	}
}

func TestOneLanguageOfferedIsNotBilingual(t *testing.T) {
	o := houses["usual"]
	o.Languages = []string{english}
	c := house(t, o)
	l, err := c.word(outbox.Message{Kind: outbox.Locked, To: identity.Contact{Channel: identity.BySMS}})
	if err != nil || strings.Contains(l.Body.Reveal(), "Clowyd") {
		t.Errorf("%v\n%s", err, l.Body.Reveal())
	}
}

func TestWelshIsWelsh(t *testing.T) {
	w, err := readWords(textFiles)
	if err != nil {
		t.Fatal(err)
	}
	for key, langs := range w {
		for i, line := range langs[welsh] {
			if line != "{from}" && slices.Contains(langs[english], line) {
				t.Errorf("%s: line %d is the same in both languages", key, i)
			}
			if regexp.MustCompile(`\b(ti|dy|wyt)\b`).MatchString(line) {
				t.Errorf("%s: line %d is not formal", key, i)
			}
		}
		for _, line := range slices.Concat(langs[english], langs[both]) {
			for _, word := range []string{"sign in", "Sign in", "click", "lease", "e-mail", "Dear", "Hi ", "Hello"} {
				if strings.Contains(line, word) {
					t.Errorf("%s: %q", key, word)
				}
			}
		}
	}
}

func TestReadWordsRefuses(t *testing.T) {
	whole := func(change func(string) string) fstest.MapFS {
		files := fstest.MapFS{}
		for _, name := range []string{"text/sms.txt", "text/mail.txt"} {
			content, err := textFiles.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = &fstest.MapFile{Data: []byte(change(string(content)))}
		}
		return files
	}
	if _, err := readWords(whole(func(s string) string { return s })); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(string) string{
		"a kind without words":     func(s string) string { return strings.ReplaceAll(s, "sms.locked", "sms.closed") },
		"a language missing":       func(s string) string { return strings.ReplaceAll(s, "\ncy: Eich cod cofrestru\n", "\n") },
		"a hole in one language":   func(s string) string { return strings.ReplaceAll(s, "Nid chi? {link}", "Nid chi?") },
		"a key twice":              func(s string) string { return s + "\n\nsms.locked\nen: a\ncy: b\nboth: c\n" },
		"a line without language":  func(s string) string { return s + "\n\nsms.more\nplain\n" },
		"a brace left open":        func(s string) string { return strings.ReplaceAll(s, "{help}", "{help") },
		"markup":                   func(s string) string { return strings.ReplaceAll(s, "{help}", "<b>{help}</b>") },
		"another language":         func(s string) string { return strings.ReplaceAll(s, "en: ", "fr: ") },
		"a mail of a subject only": func(s string) string { return strings.ReplaceAll(s, "\nen: The English text is below.", "") },
	} {
		if _, err := readWords(whole(change)); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"no name":                        func(o *Options) { o.Organisation = nil },
		"a name with a line end":         func(o *Options) { o.Organisation = map[string]string{english: "A\r\nBcc: x"} },
		"a name with markup":             func(o *Options) { o.Organisation = map[string]string{english: "[A](http://b)"} },
		"a name beyond 100 letters":      func(o *Options) { o.Organisation = map[string]string{english: strings.Repeat("x", 101)} },
		"a name in letters no text has":  func(o *Options) { o.Organisation = map[string]string{english: "Жили"} },
		"no address":                     func(o *Options) { o.PublicURL = "" },
		"an address with a query":        func(o *Options) { o.PublicURL = "https://a.example/?x" },
		"an address with a user":         func(o *Options) { o.PublicURL = "https://a@b.example" },
		"an address with a line end":     func(o *Options) { o.PublicURL = "https://a.example/\n" },
		"a host too long for a text":     func(o *Options) { o.PublicURL = "https://" + strings.Repeat("a", 44) + ".nhs.uk" },
		"help too long for a text":       func(o *Options) { o.Help = strings.Repeat("0", 120) },
		"help in letters no text has":    func(o *Options) { o.Help = "☎" },
		"languages we have no words for": func(o *Options) { o.Languages = []string{"fr"} },
	} {
		o := houses["usual"]
		change(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

// Row D13: whatever comes with a message, nothing of it becomes a line, a link or
// a recipient.
func TestParametersAreJudged(t *testing.T) {
	c := house(t, houses["usual"])
	for name, row := range map[string]struct {
		kind  outbox.Kind
		param string
		value string
		ok    bool
	}{
		"a code":                       {outbox.CodeRecover, "code", "123456", true},
		"a code with a line end":       {outbox.CodeRecover, "code", "123456\r\nBcc: x@example.com", false},
		"a code with a link":           {outbox.CodeRecover, "code", "http://evil.example", false},
		"a code with a space":          {outbox.CodeRecover, "code", "123 456", false},
		"a code too long":              {outbox.CodeRecover, "code", "123456789", false},
		"a link of ours":               {outbox.ResetLink, "link", "https://login.example.nhs.uk/recover/x", true},
		"a link of somebody else's":    {outbox.ResetLink, "link", "https://evil.example/", false},
		"a host that begins like ours": {outbox.ResetLink, "link", "https://login.example.nhs.uk.evil.example/", false},
		"a user that looks like ours":  {outbox.ResetLink, "link", "https://login.example.nhs.uk@evil.example/", false},
		"a link with a line end":       {outbox.ResetLink, "link", "https://login.example.nhs.uk/\nx", false},
		"a link too long for a text":   {outbox.ResetLink, "link", "https://login.example.nhs.uk/" + strings.Repeat("x", maxPath), false},
		"a link with a space":          {outbox.ResetLink, "link", "https://login.example.nhs.uk/ x", false},
		"a parameter nobody knows":     {outbox.Locked, "name", "Ann", false},
	} {
		m := outbox.Message{Kind: row.kind, To: identity.Contact{Channel: identity.ByEmail}, Params: map[string]identity.Secret{row.param: identity.Secret(row.value)}}
		l, err := c.word(m)
		if (err == nil) != row.ok {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && strings.Contains(err.Error(), row.value) {
			t.Errorf("%s: the error tells the value", name)
		}
		if row.ok && !strings.Contains(l.Body.Reveal(), row.value) {
			t.Errorf("%s: not in the message", name)
		}
	}
}

func TestShownAddressIsHarmless(t *testing.T) {
	for given, want := range map[string]string{
		"ann.o'test+nhs@example.com":         "ann.o'test+nhs@example.com",
		"[x](http://evil.example)@a.example": "?x??http???evil.example?@a.example",
		"siân@example.cymru":                 "si?n@example.cymru",
		"a*b`c#d@example.com":                "a?b?c?d@example.com",
		"x\r\nBcc:y@example.com":             "x??Bcc?y@example.com",
	} {
		if got := shown(given); got != want {
			t.Errorf("%q became %q", given, got)
		}
	}
	if n := len(shown(strings.Repeat("long", 60) + "@example.com")); n > longestShown {
		t.Errorf("%d letters shown", n)
	}
}

// languageOf is the language of the text's names.
func languageOf(m outbox.Message) string {
	if m.Language == "" {
		return both
	}
	return m.Language
}
