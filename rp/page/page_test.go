package page_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
)

var languages = []string{page.English, page.Welsh}

// element is an element of a page, for tests that look at its structure.
type element struct {
	name     string
	attrs    map[string]string
	parent   *element
	children []*element
	text     string
}

// parse reads a document or a fragment. It is as strict as our own markup is
// meant to be: an element that is not closed is an error.
func parse(t *testing.T, doc []byte) *element {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(doc))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	root := &element{name: "root"}
	at := root
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			if at != root {
				t.Fatalf("<%s> is not closed", at.name)
			}
			return root
		}
		if err != nil {
			t.Fatalf("parse: %v", err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: map[string]string{}, parent: at}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			at.children, at = append(at.children, e), e
		case xml.EndElement:
			if at.name != token.Name.Local {
				t.Fatalf("</%s> closes <%s>", token.Name.Local, at.name)
			}
			at = at.parent
		case xml.CharData:
			for e := at; e != nil; e = e.parent {
				e.text += string(token)
			}
		}
	}
}

// find returns every element for which ok holds, in document order.
func (e *element) find(ok func(*element) bool) []*element {
	var all []*element
	if ok(e) {
		all = append(all, e)
	}
	for _, c := range e.children {
		all = append(all, c.find(ok)...)
	}
	return all
}

func (e *element) named(name string) []*element {
	return e.find(func(e *element) bool { return e.name == name })
}

func (e *element) within(name string) bool {
	return e != nil && (e.name == name || e.parent.within(name))
}

// words returns the text with single spaces.
func (e *element) words() string { return strings.Join(strings.Fields(e.text), " ") }

// onePages are the pages of the example: they are safe to share, and slow to make.
var onePages = sync.OnceValues(func() (*page.Pages, error) { return page.New(pagetest.Options()) })

func newPages(t *testing.T) *page.Pages {
	t.Helper()
	p, err := onePages()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func render(t *testing.T, f page.Frame, c page.Content) []byte {
	t.Helper()
	doc, err := newPages(t).Render(f, c)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestEveryPage holds every sample, in both languages, to what every page
// promises. PAGE_OUT names a folder to write the pages and their assets to, for
// looking at them.
func TestEveryPage(t *testing.T) {
	p := newPages(t)
	for _, lang := range languages {
		for _, s := range pagetest.Samples(lang) {
			t.Run(lang+"/"+s.Name, func(t *testing.T) {
				doc, err := p.Render(s.Frame, s.Content)
				if err != nil {
					t.Fatal(err)
				}
				keep(t, p, lang+"-"+s.Name+".html", doc)
				root := parse(t, doc)
				checkHeadings(t, root, lang)
				checkNothingInline(t, root)
				checkAddresses(t, p, root)
				checkForms(t, root)
				checkLandmarks(t, root, s.Frame)
				for _, slip := range []string{"ZgotmplZ", "{{", "}}", "REDACTED", "<nil>", "map["} {
					if bytes.Contains(doc, []byte(slip)) {
						t.Errorf("the page says %q", slip)
					}
				}
			})
		}
	}
}

func checkHeadings(t *testing.T, root *element, lang string) {
	t.Helper()
	outside := func(name string) (all []*element) {
		for _, e := range root.named(name) {
			if !e.within("template") {
				all = append(all, e)
			}
		}
		return all
	}
	h1, title := outside("h1"), outside("title")
	if len(h1) != 1 || len(title) != 1 {
		t.Fatalf("wanted one h1 and one title, got %d and %d", len(h1), len(title))
	}
	begins := h1[0].words() + " – "
	if len(root.find(withClass("nhsuk-error-summary"))) > 0 {
		begins = map[string]string{page.English: "Error: ", page.Welsh: "Gwall: "}[lang] + begins
	}
	if h1[0].words() == "" || !strings.HasPrefix(title[0].words(), begins) {
		t.Errorf("title %q does not begin with %q", title[0].words(), begins)
	}
	if got := root.named("html")[0].attrs["lang"]; got != lang {
		t.Errorf("lang is %q", got)
	}
	level := 1
	main := root.named("main")[0]
	for _, e := range main.find(func(e *element) bool { return len(e.name) == 2 && e.name[0] == 'h' && e.name != "hr" }) {
		l := int(e.name[1] - '0')
		if l > level+1 {
			t.Errorf("h%d %q follows h%d: a level is missing", l, e.words(), level)
		}
		level = l
	}
}

func checkNothingInline(t *testing.T, root *element) {
	t.Helper()
	if n := len(root.named("style")); n > 0 {
		t.Errorf("%d style elements", n)
	}
	for _, e := range root.named("script") {
		if e.attrs["src"] == "" || e.words() != "" {
			t.Error("a script without src, or with words")
		}
	}
	ids := map[string]bool{}
	for _, e := range root.find(func(*element) bool { return true }) {
		for name, value := range e.attrs {
			if name == "style" || strings.HasPrefix(name, "on") || strings.HasPrefix(strings.ToLower(value), "javascript:") {
				t.Errorf("<%s %s=%q>", e.name, name, value)
			}
		}
		if id := e.attrs["id"]; id != "" {
			if ids[id] {
				t.Errorf("id %s stands twice", id)
			}
			ids[id] = true
		}
		for _, ref := range []string{"aria-labelledby", "aria-describedby"} {
			for _, id := range strings.Fields(e.attrs[ref]) {
				if len(root.find(func(e *element) bool { return e.attrs["id"] == id })) != 1 {
					t.Errorf("%s names %s, which is not there", ref, id)
				}
			}
		}
	}
}

// checkAddresses wants everything that a browser fetches by itself to be an asset
// of ours, for keeps, and every plain link to have words.
func checkAddresses(t *testing.T, p *page.Pages, root *element) {
	t.Helper()
	for _, e := range root.find(func(e *element) bool { return e.attrs["src"] != "" || e.name == "link" }) {
		address := e.attrs["src"] + e.attrs["href"]
		if _, _, immutable, ok := p.Asset(address); !ok || !immutable {
			t.Errorf("<%s> fetches %q, which is no asset", e.name, address)
		}
	}
	for _, a := range root.named("a") {
		href := a.attrs["href"]
		if a.words() == "" || href == "" || strings.HasPrefix(href, "http:") || strings.HasPrefix(href, "//") {
			t.Errorf("link %q to %q", a.words(), href)
		}
	}
}

func checkForms(t *testing.T, root *element) {
	t.Helper()
	for _, f := range root.named("form") {
		if f.attrs["method"] != "post" || !strings.HasPrefix(f.attrs["action"], "/") || strings.HasPrefix(f.attrs["action"], "//") {
			t.Errorf("form %s %q", f.attrs["method"], f.attrs["action"])
		}
		if _, bare := f.attrs["novalidate"]; !bare {
			t.Errorf("form %s lets the browser judge, in words that are not ours", f.attrs["action"])
		}
		buttons := f.find(func(e *element) bool { return e.name == "button" && e.attrs["type"] != "button" })
		if len(buttons) != 1 || buttons[0].words() == "" {
			t.Errorf("form %s has %d buttons", f.attrs["action"], len(buttons))
		}
		for _, i := range f.named("input") {
			checkInput(t, root, i)
		}
	}
	checkFaults(t, root)
}

// tokens are the autocomplete tokens of WCAG 1.3.5 and the contract that our forms
// use.
var tokens = []string{
	"email", "tel", "username", "username webauthn", "current-password", "new-password", "one-time-code",
	"given-name", "family-name", "bday-day", "bday-month", "bday-year", "postal-code", "off",
}

// checkInput wants a label, an autocomplete token and nothing that keeps a patient
// from pasting; a secret never comes back.
func checkInput(t *testing.T, root, i *element) {
	t.Helper()
	name, kind := i.attrs["name"], i.attrs["type"]
	if name == "" {
		t.Error("an input without a name")
	}
	if kind == "hidden" || name == "username" {
		return
	}
	if len(root.find(func(e *element) bool { return e.name == "label" && e.attrs["for"] == i.attrs["id"] && e.words() != "" })) != 1 {
		t.Errorf("input %s has no label", name)
	}
	if kind == "radio" || kind == "checkbox" {
		return
	}
	if !slices.Contains(tokens, i.attrs["autocomplete"]) {
		t.Errorf("input %s: autocomplete is %q", name, i.attrs["autocomplete"])
	}
	for _, attr := range []string{"maxlength", "pattern", "required", "onpaste", "placeholder"} {
		if _, there := i.attrs[attr]; there {
			t.Errorf("input %s has %s", name, attr)
		}
	}
	if secret := kind == "password" || strings.HasSuffix(name, "code") && name != "postcode"; secret && i.attrs["value"] != "" {
		t.Errorf("input %s comes back filled", name)
	}
}

// checkFaults wants each fault twice in the same words: in the summary, as a link
// to the field, and at the field.
func checkFaults(t *testing.T, root *element) {
	t.Helper()
	var summed, told []string
	for _, s := range root.find(withClass("nhsuk-error-summary")) {
		for _, a := range s.named("a") {
			summed = append(summed, a.words())
			id := strings.TrimPrefix(a.attrs["href"], "#")
			if len(root.find(func(e *element) bool { return e.name == "input" && e.attrs["id"] == id })) != 1 {
				t.Errorf("the summary leads to %s, which is no input", id)
			}
		}
	}
	for _, e := range root.find(withClass("nhsuk-error-message")) {
		_, words, _ := strings.Cut(e.words(), ": ")
		told = append(told, words)
	}
	if !slices.Equal(summed, told) {
		t.Errorf("the summary says %q, the fields say %q", summed, told)
	}
}

func withClass(class string) func(*element) bool {
	return func(e *element) bool { return slices.Contains(strings.Fields(e.attrs["class"]), class) }
}

func checkLandmarks(t *testing.T, root *element, f page.Frame) {
	t.Helper()
	footer := root.named("footer")[0].named("a")
	if len(footer) != 4 || footer[0].attrs["href"] != "/help" {
		t.Error("help is not the first link of the footer")
	}
	other := root.find(func(e *element) bool { return e.attrs["hreflang"] != "" })
	if len(other) != 1 || other[0].attrs["hreflang"] == f.Lang || other[0].attrs["lang"] != other[0].attrs["hreflang"] ||
		!strings.Contains(other[0].attrs["href"], "lang="+other[0].attrs["lang"]) {
		t.Error("no link to this page in the other language")
	}
	if got := len(root.named("header")) == 0; got != f.HideHeader {
		t.Errorf("header hidden: %v", got)
	}
	if len(root.named("main")) != 1 {
		t.Error("wanted one main")
	}
}

// keep writes a page where a person can look at it, with addresses that a browser
// can follow in a folder.
func keep(t *testing.T, p *page.Pages, name string, doc []byte) {
	t.Helper()
	folder := os.Getenv("PAGE_OUT")
	if folder == "" {
		return
	}
	for _, part := range strings.Split(string(doc), `"`) {
		content, _, _, ok := p.Asset(part)
		if !ok {
			continue
		}
		file := filepath.Join(folder, filepath.FromSlash(part))
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, content, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(folder, name), doc, 0o644); err != nil {
		t.Fatal(err)
	}
}

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(1)>'{{.}}` + "`${1}"

func TestHostileValuesAreText(t *testing.T) {
	words := page.Words{"en": hostile}
	name, err := identity.ParseName(hostile)
	if err != nil {
		t.Fatal(err)
	}
	p := page.Provider{ID: hostile, Name: words}
	const script = "javascript:alert(1)"
	for label, c := range map[string]page.Content{
		"login":     page.Login{Providers: []page.ProviderButton{{Provider: p}, {Provider: p, Down: true}}, Portal: words, RequestID: hostile},
		"refusal":   page.Refusal{Kind: page.AccessDenied, Provider: words, Portal: words, StartAgain: "javascript:alert(1)", Return: "javascript:alert(1)"},
		"account":   page.Account{Sources: []page.Source{{Provider: words, Details: identity.Details{GivenName: name, FamilyName: name}}, {Own: true}}, LinksURL: script, Provider: p, SettingsURL: "javascript:alert(1)", Sessions: []page.Session{{Device: hostile, Provider: words}}},
		"logout":    page.LogoutConfirm{Action: "javascript:alert(1)", Hidden: []page.Field{{Name: hostile, Value: hostile}}, Portal: words, Stay: "javascript:alert(1)"},
		"loggedout": page.LoggedOut{Portal: words, Return: "data:text/html,x", Provider: words},
		"sign-up":   page.SignUpStart{MinimumAge: 16, Portal: words, RequestID: hostile, Return: hostile, NHSLogin: script, LoginURL: script, Action: script, Back: script},
		"device":    page.SignUpDevice{Device: hostile, Helped: true, HelperEmail: hostile, HelperPhone: hostile, Action: script},
		"email":     page.SignUpEmail{Email: hostile},
		"phone":     page.SignUpPhone{Phone: hostile},
		"name":      page.Name{Given: hostile, Family: hostile},
		"born":      page.BirthDate{DateTyped: page.DateTyped{Day: hostile, Month: hostile, Year: hostile}},
		"number":    page.NHSNumber{Number: hostile},
		"postcode":  page.Postcode{Postcode: hostile, NumberURL: script},
		"check":     page.CheckAnswers{Details: identity.Details{GivenName: name}},
		"code":      page.Code{Purpose: page.CodeSignUpEmail, To: hostile, Action: script, ResendAction: script, ChangeURL: script, Others: []page.OtherWay{{Way: page.ByCard, URL: script}, {Way: page.ByPhone, URL: script, Send: true}}, LostPhoneURL: script},
		"card-code": page.CardCode{Others: []page.OtherWay{{Way: page.ByPhone, URL: script}}, LostURL: script},
		"app-code":  page.AppCode{Action: script, Others: []page.OtherWay{{Way: page.ByCard, URL: script}}, LostURL: script, Back: script},
		"app":       page.AppSetUp{Seed: identity.Secret(hostile)},
		"two-step":  page.TwoStep{PhoneURL: script, CardURL: script, Ways: []page.ProofWay{page.ProofWay(hostile), page.ByApp}},
		"app-done":  page.AppDone{CardURL: script},
		"remove":    page.AppRemove{Last: true, CardURL: script},
		"card":      page.Card{Codes: []string{hostile}, To: script, Action: script},
		"card-ask":  page.CardAsk{To: hostile, Action: script, Keep: script},
		"signed-up": page.SignedUp{Reference: hostile, NHSLogin: script, ActivationURL: script, NextURL: script, Portal: words},
		"log-in":    page.LoginEmail{Portal: words, RequestID: hostile, Return: hostile, Email: hostile, SignUpURL: script, RecoverURL: script, ForgotURL: script},
		"recover":   page.Recover{Email: hostile, ForgotURL: script},
		"forgotten": page.ForgottenEmail{Phone: hostile},
		"contact":   page.ContactChange{Typed: hostile},
		"not-mine":  page.NotMine{Done: true, Reference: hostile},
		"passkeys":  page.Passkeys{Keys: []page.Passkey{{ID: hostile, Name: hostile, AAGUID: hostile}}, Make: &page.PasskeyAsk{Options: hostile, Action: script, Makes: true}, StepUpURL: script, Signal: hostile},
		"key-offer": page.PasskeyOffer{Make: &page.PasskeyAsk{Options: hostile, Action: script}, To: script},
		"links":     page.Links{New: words, Linked: []page.Linked{{Provider: p}}, Others: []page.Provider{p}, TwoStepURL: script},
		"link":      page.LinkStart{Provider: p, URL: script},
		"unlink":    page.Unlink{Provider: p},
		"own":       page.Account{Sources: []page.Source{{Own: true}}, Own: &page.Own{EmailURL: script, TwoStepURL: script, CardURL: script, Browsers: []page.Browser{{ID: hostile, Device: hostile}}}, NotNumber: script, NotRecord: script},
		"cookies":   page.Cookies{List: []page.Cookie{{Name: hostile, Use: page.SessionCookie}}},
	} {
		f := page.Frame{Lang: hostile, Path: hostile, LoggedIn: true, IdleEnds: pagetest.Now, Notice: words, Reference: hostile}
		doc := render(t, f, c)
		for _, bad := range []string{"<script>", "<img src=x", "data:text"} {
			if bytes.Contains(doc, []byte(bad)) {
				t.Errorf("%s: %q came through", label, bad)
			}
		}
		root := parse(t, doc)
		for _, e := range root.find(func(*element) bool { return true }) {
			for _, attr := range []string{"href", "action", "src", "formaction"} {
				if strings.HasPrefix(e.attrs[attr], "javascript:") {
					t.Errorf("%s: <%s %s> leads to a script", label, e.name, attr)
				}
			}
		}
		if len(root.named("html")) != 1 || root.named("html")[0].attrs["lang"] != page.English {
			t.Errorf("%s: an unknown language was believed", label)
		}
		for _, e := range root.find(func(e *element) bool { return e.attrs["onerror"] != "" }) {
			t.Errorf("%s: <%s> has a handler", label, e.name)
		}
	}
}

func TestNHSNumberIsShownAtP9Only(t *testing.T) {
	number, err := identity.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	claimed, err := identity.ParseNHSNumber("9991000003")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[identity.Proofing]bool{identity.P0: false, identity.P5: false, identity.P9: true} {
		doc := render(t, page.Frame{Lang: "en"}, page.Account{Sources: []page.Source{{Details: identity.Details{NHSNumber: number}, Proved: true}, {Details: identity.Details{NHSNumber: claimed}}}, Trust: identity.Trust{P: p}})
		if got := bytes.Contains(doc, []byte("999 000 0018")); got != want {
			t.Errorf("%s: shown: %v", p, got)
		}
		if bytes.Contains(doc, []byte("9990000018")) {
			t.Errorf("%s: the number stands ungrouped", p)
		}
		if bytes.Contains(doc, []byte("999 100 0003")) {
			t.Errorf("%s: a number that was only claimed is shown", p)
		}
	}
}

func TestEveryRefusalShowsTheWayToHelp(t *testing.T) {
	for _, lang := range languages {
		for _, k := range page.Kinds() {
			f := page.Frame{Lang: lang, Reference: "DIL-7F3K-Q2"}
			doc := render(t, f, page.Refusal{Kind: k})
			for _, want := range []string{`href="https://111.nhs.uk"`, `href="tel:111"`, `href="tel:999"`, "DIL-7F3K-Q2"} {
				if !bytes.Contains(doc, []byte(want)) {
					t.Errorf("%s %s: no %s", lang, k, want)
				}
			}
		}
	}
}

func TestConsentNotGivenNamesTheService(t *testing.T) {
	doc := render(t, page.Frame{Lang: "en"}, page.Refusal{Kind: page.ConsentNotGiven, Provider: page.Words{"en": "NHS login"}, Portal: page.Words{"en": "My Health"}})
	main := parse(t, doc).named("main")[0].words()
	for _, want := range []string{"My Health", "NHS login", "chose not to share"} {
		if !strings.Contains(main, want) {
			t.Errorf("no %q in %q", want, main)
		}
	}
}

func TestUnderAgeNamesNoOtherPersonsAccount(t *testing.T) {
	for lang, words := range map[string][]string{"en": {"parent", "guardian", "someone else"}, "cy": {"rhiant", "rhieni", "gwarcheidwad"}} {
		for _, from := range []time.Time{{}, pagetest.Now} {
			main := parse(t, render(t, page.Frame{Lang: lang}, page.Refusal{Kind: page.UnderAge, From: from})).named("main")[0].words()
			for _, word := range words {
				if strings.Contains(main, word) {
					t.Errorf("%s: the page says %q", lang, word)
				}
			}
			if dated := strings.Contains(main, " 2026"); dated == from.IsZero() || strings.Contains(main, "  ") || strings.Contains(main, " .") {
				t.Errorf("%s: dated: %v in %q", lang, dated, main)
			}
		}
	}
}

func TestNHSLoginStandsFirstInItsApprovedWords(t *testing.T) {
	for lang, want := range map[string]string{"en": "Continue to NHS login", "cy": "Parhau i NHS login"} {
		root := parse(t, render(t, page.Frame{Lang: lang}, pagetest.Samples(lang)[0].Content))
		buttons := root.named("main")[0].find(looksLikeButton)
		if len(buttons) != 3 || buttons[0].words() != want || buttons[0].attrs["class"] != "nhsuk-button nhsuk-button--login" {
			t.Fatalf("%s: first button is %q", lang, buttons[0].words())
		}
		for _, other := range buttons[1:] {
			if !strings.Contains(other.attrs["class"], "secondary") {
				t.Errorf("%s: %q is as visible", lang, other.words())
			}
		}
		for _, b := range buttons {
			if !strings.HasSuffix(b.attrs["href"], "?request=example") {
				t.Errorf("%s: a button forgets who waits: %s", lang, b.attrs["href"])
			}
		}
		if len(root.named("main")[0].named("form")) > 0 {
			t.Errorf("%s: a form, whose redirects form-action would judge", lang)
		}
	}
}

func looksLikeButton(e *element) bool { return e.attrs["role"] == "button" }

func TestNHSLoginDownCanStillBeTried(t *testing.T) {
	login := page.Login{Providers: []page.ProviderButton{{Provider: pagetest.Options().Providers[0], Down: true}}}
	main := parse(t, render(t, page.Frame{Lang: "en"}, login)).named("main")[0]
	if b := main.find(looksLikeButton); len(b) != 1 || b[0].words() != "Try NHS login again" || b[0].attrs["aria-describedby"] != "down-nhs-login" {
		t.Errorf("got %q", b[0].words())
	}
	if strings.Contains(main.words(), "another way on this page") {
		t.Error("another way is promised where there is none")
	}
}

func TestSharedDeviceCanBeTakenBack(t *testing.T) {
	for shared, want := range map[bool]string{
		false: "/login?device=shared&request=a%26b",
		true:  "/login?request=a%26b",
	} {
		if got := (page.Login{Shared: shared, RequestID: "a&b"}).DeviceURL(); got != want {
			t.Errorf("%v: got %s", shared, got)
		}
	}
}

func TestSessionEnding(t *testing.T) {
	in := func(d time.Duration) time.Time { return pagetest.Now.Add(d) }
	for name, row := range map[string]struct {
		frame page.Frame
		says  string
		stay  bool
	}{
		"idle comes first":           {page.Frame{LoggedIn: true, IdleEnds: in(30 * time.Minute), SessionEnds: in(time.Hour)}, "at 3:35pm if you do nothing", true},
		"the overall limit is first": {page.Frame{LoggedIn: true, IdleEnds: in(30 * time.Minute), SessionEnds: in(20 * time.Minute)}, "at 3:25pm. You can", false},
		"both at once":               {page.Frame{LoggedIn: true, IdleEnds: in(5 * time.Minute), SessionEnds: in(5 * time.Minute)}, "at 3:10pm. You can", false},
		"no overall limit":           {page.Frame{LoggedIn: true, IdleEnds: in(time.Minute)}, "at 3:06pm if you do nothing", true},
		"no idle limit":              {page.Frame{LoggedIn: true, SessionEnds: in(time.Minute)}, "at 3:06pm. You can", false},
		"nobody is logged in":        {page.Frame{IdleEnds: in(time.Minute), SessionEnds: in(time.Hour)}, "", false},
	} {
		row.frame.Lang, row.frame.Now, row.frame.Path = "en", pagetest.Now, "/account?tab=1"
		root := parse(t, render(t, row.frame, page.HelpPage{}))
		section := root.named("section")
		if row.says == "" {
			if len(section) != 0 {
				t.Errorf("%s: an end is told", name)
			}
			continue
		}
		if len(section) != 1 || !strings.Contains(section[0].words(), row.says) {
			t.Errorf("%s: no %q", name, row.says)
		}
		forms := section[0].named("form")
		if stay := len(forms) == 1; stay != row.stay {
			t.Errorf("%s: can stay: %v", name, stay)
		} else if stay && (forms[0].attrs["action"] != "/session/active" || forms[0].named("input")[0].attrs["value"] != "/account?tab=1") {
			t.Errorf("%s: posts elsewhere", name)
		}
	}
}

func TestNoticeStandsOnEveryPageInItsLanguage(t *testing.T) {
	notice := page.Words{"en": "Closed on Sunday", "cy": "Ar gau ddydd Sul"}
	for _, lang := range languages {
		for _, s := range pagetest.Samples(lang) {
			s.Frame.Notice = notice
			regions := parse(t, render(t, s.Frame, s.Content)).find(func(e *element) bool { return e.attrs["role"] == "region" })
			if len(regions) != 1 || !strings.Contains(regions[0].words(), notice[lang]) {
				t.Errorf("%s %s: no notice", lang, s.Name)
			}
		}
	}
}

func TestOnlyWhatWasDoneIsStated(t *testing.T) {
	o := pagetest.Options()
	o.Organisation.Accessibility, o.Organisation.Help = page.Accessibility{}, page.Help{}
	o.Languages = []string{page.English}
	p, err := page.New(o)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := p.Render(page.Frame{}, page.AccessibilityStatement{})
	if err != nil {
		t.Fatal(err)
	}
	root := parse(t, doc)
	words := root.named("main")[0].words()
	if !strings.Contains(words, "has not been tested") || strings.Contains(words, "last tested") || strings.Contains(words, "Welsh") {
		t.Errorf("got %q", words)
	}
	if len(root.find(func(e *element) bool { return e.attrs["hreflang"] != "" })) != 0 {
		t.Error("a language is offered that is not spoken")
	}
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*page.Options){
		"a language we do not write": func(o *page.Options) { o.Languages = []string{"en", "fr"} },
		"a language twice":           func(o *page.Options) { o.Languages = []string{"en", "en"} },
		"no language":                func(o *page.Options) { o.Languages = nil },
		"no name":                    func(o *page.Options) { o.Organisation.Name = nil },
		"no host":                    func(o *page.Options) { o.ServiceHost = "" },
		"a page as a logo":           func(o *page.Options) { o.Organisation.Logo = []byte("<html><svg></svg></html>") },
		"a program as a button logo": func(o *page.Options) { o.ButtonLogos = map[string][]byte{"nhs-login": []byte("\x7fELF")} },
		"a logo too large for phones": func(o *page.Options) {
			o.Organisation.Logo = append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, 300<<10)...)
		},
	} {
		o := pagetest.Options()
		spoil(&o)
		if _, err := page.New(o); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}

func TestLogos(t *testing.T) {
	o := pagetest.Options()
	o.Organisation.Logo = []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)
	o.ButtonLogos = map[string][]byte{"nhs-login": []byte("\x89PNG\r\n\x1a\n")}
	p, err := page.New(o)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := p.Render(page.Frame{Lang: "cy"}, pagetest.Samples("cy")[0].Content)
	if err != nil {
		t.Fatal(err)
	}
	root := parse(t, doc)
	images := root.named("img")
	if len(images) != 2 || images[0].attrs["alt"] != "Bwrdd Iechyd Enghreifftiol" {
		t.Fatalf("got %d images", len(images))
	}
	for i, want := range []string{"image/svg+xml", "image/png"} {
		if _, kind, immutable, ok := p.Asset(images[i].attrs["src"]); !ok || !immutable || kind != want {
			t.Errorf("image %d: %q %v %v", i, kind, immutable, ok)
		}
	}
}

func TestAccessibilityStatementPromisesNoLanguageThatIsNotThere(t *testing.T) {
	o := pagetest.Options()
	o.Languages = []string{page.English}
	pages, err := page.New(o)
	if err != nil {
		t.Fatal(err)
	}
	body, err := pages.Render(page.Frame{Lang: page.English}, page.AccessibilityStatement{})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "in Welsh") {
		t.Error("Welsh is promised, and is not configured")
	}
	if both := render(t, page.Frame{Lang: page.English}, page.AccessibilityStatement{}); !strings.Contains(string(both), "in Welsh") {
		t.Error("Welsh is there, and is not told")
	}
}
