package page_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/page/pagetest"
)

// main renders a page and returns its main part.
func mainOf(t *testing.T, lang string, c page.Content) *element {
	t.Helper()
	return parse(t, render(t, page.Frame{Lang: lang, Now: pagetest.Now}, c)).named("main")[0]
}

// TestFormsArePostedWhereTheContractSays also keeps the names of what they post.
func TestFormsArePostedWhereTheContractSays(t *testing.T) {
	const elsewhere = "/elsewhere"
	for name, row := range map[string]struct {
		page   page.Content
		moved  page.Content
		action string
		fields string
	}{
		"start":         {page.SignUpStart{MinimumAge: 16, RequestID: "r"}, page.SignUpStart{Action: elsewhere}, "/sign-up", "request old_enough"},
		"too young":     {page.TooYoung{}, page.TooYoung{Action: elsewhere}, "/sign-up/too-young", "bday-day bday-month bday-year"},
		"device":        {page.SignUpDevice{}, page.SignUpDevice{Action: elsewhere}, "/sign-up/device", "device helped helper_email helper_phone"},
		"e-mail":        {page.SignUpEmail{}, page.SignUpEmail{Action: elsewhere}, "/sign-up/email", "email"},
		"phone":         {page.SignUpPhone{}, page.SignUpPhone{Action: elsewhere}, "/sign-up/phone", "phone"},
		"phone off":     {page.SignUpPhone{Off: true}, page.SignUpPhone{Off: true, Action: elsewhere}, "/sign-up/phone", "no_phone"},
		"name":          {page.Name{}, page.Name{Action: elsewhere}, "/sign-up/name", "given_name family_name"},
		"birth date":    {page.BirthDate{}, page.BirthDate{Action: elsewhere}, "/sign-up/birth-date", "bday-day bday-month bday-year"},
		"NHS number":    {page.NHSNumber{}, page.NHSNumber{Action: elsewhere}, "/sign-up/nhs-number", "nhs_number"},
		"postcode":      {page.Postcode{}, page.Postcode{Action: elsewhere}, "/sign-up/postcode", "postcode"},
		"password":      {page.NewPassword{}, page.NewPassword{Action: elsewhere}, "/sign-up/password", "password"},
		"new password":  {page.NewPassword{Purpose: page.PasswordReset}, page.NewPassword{Purpose: page.PasswordReset, Action: elsewhere}, "/recover/password", "password"},
		"check":         {page.CheckAnswers{}, page.CheckAnswers{Action: elsewhere}, "/sign-up/check", ""},
		"resumed":       {page.Interrupted{Shared: true}, page.Interrupted{Shared: true, Action: elsewhere}, "/sign-up/email", "email"},
		"e-mail code":   {page.Code{Purpose: page.CodeSignUpEmail}, page.Code{Action: elsewhere}, "/sign-up/email-code", "code"},
		"phone code":    {page.Code{Purpose: page.CodeSignUpPhone}, page.Code{Action: elsewhere}, "/sign-up/phone-code", "code"},
		"login code":    {page.Code{Purpose: page.CodeLogin, Remember: true}, page.Code{Action: elsewhere}, "/login/email/code", "code remember"},
		"recovery code": {page.Code{Purpose: page.CodeRecover}, page.Code{Action: elsewhere}, "/recover/factor", "code"},
		"card code":     {page.CardCode{}, page.CardCode{Action: elsewhere}, "/login/email/card", "card_code"},
		"card":          {page.Card{To: "/x"}, page.Card{Action: elsewhere}, "/account/second-way/done", "to"},
		"card asked":    {page.CardAsk{To: "/x"}, page.CardAsk{Action: elsewhere}, "/account/second-way", "to"},
		"log in":        {page.LoginEmail{Return: "/x", Shared: true}, page.LoginEmail{Action: elsewhere}, "/login/email", "return device email password"},
		"recover":       {page.Recover{}, page.Recover{Action: elsewhere}, "/recover", "email"},
		"link":          {page.RecoverLink{}, page.RecoverLink{Action: elsewhere}, "/recover/link", ""},
		"forgotten":     {page.ForgottenEmail{}, page.ForgottenEmail{Action: elsewhere}, "/recover/email", "phone"},
		"handed code":   {page.Activation{}, page.Activation{Action: elsewhere}, "/account/activation", "activation_code"},
		"new e-mail":    {page.ContactChange{Channel: identity.ByEmail}, page.ContactChange{Action: elsewhere}, "/account/email", "email"},
		"new phone":     {page.ContactChange{Channel: identity.BySMS}, page.ContactChange{Action: elsewhere}, "/account/phone", "phone"},
		"cancel":        {page.ContactCancel{}, page.ContactCancel{Action: elsewhere}, "/stop-change", ""},
		"keep":          {page.ContactHeld{Channel: identity.ByEmail}, page.ContactHeld{Action: elsewhere}, "/account/email-held", ""},
		"not my number": {page.NotMine{}, page.NotMine{Action: elsewhere}, "/account/not-my-number", ""},
		"not my record": {page.NotMine{Record: true}, page.NotMine{Action: elsewhere}, "/account/not-my-record", ""},
	} {
		form := mainOf(t, "en", row.page).named("form")[0]
		var fields []string
		for _, i := range form.named("input") {
			if !slices.Contains(fields, i.attrs["name"]) {
				fields = append(fields, i.attrs["name"])
			}
		}
		if got := strings.Join(fields, " "); form.attrs["action"] != row.action || got != row.fields {
			t.Errorf("%s: posts %q to %s", name, got, form.attrs["action"])
		}
		for _, f := range mainOf(t, "en", row.moved).named("form") {
			if a := f.attrs["action"]; !strings.HasPrefix(a, elsewhere) && a != "/account/second-way/done" {
				t.Errorf("%s: the address given is not used, but %s", name, a)
			}
		}
	}
}

func TestWhatWasTypedComesBackAndSecretsDoNot(t *testing.T) {
	const typed = "typed-by-hand"
	for name, c := range map[string]page.Content{
		"helper": page.SignUpDevice{Helped: true, HelperEmail: typed, HelperPhone: typed},
		"e-mail": page.SignUpEmail{Email: typed}, "phone": page.SignUpPhone{Phone: typed}, "number": page.NHSNumber{Number: typed},
		"name": page.Name{Given: typed, Family: typed}, "postcode": page.Postcode{Postcode: typed},
		"date":    page.BirthDate{DateTyped: page.DateTyped{Day: typed, Month: typed, Year: typed}},
		"young":   page.TooYoung{BirthDate: page.DateTyped{Day: typed, Month: typed, Year: typed}},
		"recover": page.Recover{Email: typed}, "forgotten": page.ForgottenEmail{Phone: typed},
		"contact": page.ContactChange{Channel: identity.ByEmail, Typed: typed},
		"resumed": page.Interrupted{Shared: true, Email: typed},
		"log in":  page.LoginEmail{Email: typed},
	} {
		for _, i := range mainOf(t, "en", c).named("input") {
			switch kind := i.attrs["type"]; {
			case kind == "password" && i.attrs["value"] != "":
				t.Errorf("%s: the password comes back", name)
			case kind != "hidden" && kind != "radio" && kind != "checkbox" && kind != "password" && i.attrs["value"] != typed:
				t.Errorf("%s: %s is lost", name, i.attrs["name"])
			}
		}
	}
}

func TestEveryFaultHasItsWords(t *testing.T) {
	p := newPages(t)
	for _, lang := range languages {
		seen := map[string]string{}
		for _, key := range page.FaultKeys() {
			c := page.SignUpEmail{Faults: []page.Fault{{Field: "email", Key: key}}}
			doc, err := p.Render(page.Frame{Lang: lang}, c)
			if err != nil {
				t.Fatalf("%s: %v", key, err)
			}
			words := parse(t, doc).find(withClass("nhsuk-error-message"))[0].words()
			if words = words[strings.Index(words, ": ")+2:]; words == "" || strings.HasSuffix(words, ".") || seen[words] != "" {
				t.Errorf("%s %s: says %q, as does %q", lang, key, words, seen[words])
			}
			seen[words] = key
		}
	}
	for _, key := range []string{"fault.unheard-of", "login.title", ""} {
		if _, err := p.Render(page.Frame{}, page.SignUpEmail{Faults: []page.Fault{{Field: "email", Key: key}}}); err == nil {
			t.Errorf("%q was shown as a fault", key)
		}
	}
}

func TestAWaitTellsItsEnd(t *testing.T) {
	until := pagetest.Now.Add(15 * time.Minute)
	for name, c := range map[string]page.Content{
		"a code":                  page.Code{Purpose: page.CodeLogin, Faults: []page.Fault{{Field: "code", Key: page.FaultWait, Until: until}}},
		"a lock":                  page.LoginEmail{Faults: []page.Fault{{Field: "password", Key: page.FaultLocked, Until: until}}},
		"a lock told by its page": page.LoginEmail{LockedUntil: until, Faults: []page.Fault{{Field: "password", Key: page.FaultLocked}}},
		"too many codes":          page.Refusal{Kind: page.CodeLimit, From: until},
	} {
		if words := mainOf(t, "en", c).words(); !strings.Contains(words, "3:20pm") {
			t.Errorf("%s: no time in %q", name, words)
		}
	}
	for name, c := range map[string]page.Content{
		"a code without":        page.Code{Faults: []page.Fault{{Field: "code", Key: page.FaultWait}}},
		"a lock without":        page.LoginEmail{Faults: []page.Fault{{Field: "password", Key: page.FaultLocked}}},
		"too many without":      page.Refusal{Kind: page.CodeLimit},
		"another fault's until": page.LoginEmail{LockedUntil: until, Faults: []page.Fault{{Field: "password", Key: "fault.credentials", Until: until}}},
	} {
		if words := mainOf(t, "en", c).words(); strings.Contains(words, "pm") || strings.Contains(words, "  ") {
			t.Errorf("%s: a time in %q", name, words)
		}
	}
}

// TestNobodyLearnsWhoseCodeItIs: whoever knows a password must not learn the phone
// that goes with it.
func TestNobodyLearnsWhoseCodeItIs(t *testing.T) {
	const to = "07700 900123"
	for purpose, shown := range map[page.CodePurpose]bool{
		page.CodeSignUpEmail: true, page.CodeSignUpPhone: true, page.CodeChangeEmail: true, page.CodeChangePhone: true,
		page.CodeLogin: false, page.CodeRecover: false, "": false,
	} {
		if got := strings.Contains(mainOf(t, "en", page.Code{Purpose: purpose, To: to}).words(), to); got != shown {
			t.Errorf("%s: shown: %v", purpose, got)
		}
	}
}

func TestRememberingIsOfferedOnlyWhereAsked(t *testing.T) {
	for _, remember := range []bool{true, false} {
		boxes := mainOf(t, "en", page.Code{Purpose: page.CodeLogin, Remember: remember}).find(func(e *element) bool { return e.attrs["name"] == "remember" })
		if (len(boxes) == 1) != remember {
			t.Errorf("%v: %d boxes", remember, len(boxes))
		}
		for _, b := range boxes {
			if _, ticked := b.attrs["checked"]; ticked {
				t.Error("remembering is ticked beforehand")
			}
		}
	}
}

func TestTextsOffPromisesNoText(t *testing.T) {
	main := mainOf(t, "en", page.Code{
		Purpose: page.CodeLogin, Off: true, Others: []page.OtherWay{{Way: page.ByCard, URL: "/login/email/card"}}, LostPhoneURL: "/lost",
	})
	if words := main.words(); strings.Contains(words, "We texted") || strings.Contains(words, "new code") || !strings.Contains(words, "printed card") {
		t.Errorf("got %q", words)
	}
	if b := main.find(looksLikeButton); len(b) != 1 || b[0].attrs["href"] != "/login/email/card" {
		t.Error("the card is not the way that stands out")
	}
	for _, purpose := range []page.CodePurpose{page.CodeSignUpEmail, page.CodeLoginEmail} {
		words := mainOf(t, "en", page.Code{Purpose: purpose, Off: true}).words()
		if strings.Contains(words, "text messages") || strings.Contains(words, "We sent") || strings.Contains(words, "new code") || !strings.Contains(words, "cannot send emails") {
			t.Errorf("%s: emails are off: got %q", purpose, words)
		}
	}
	if main = mainOf(t, "en", page.SignUpPhone{Off: true}); len(main.find(func(e *element) bool { return e.attrs["type"] == "tel" })) > 0 {
		t.Error("a number is asked for that cannot be texted")
	}
	if main = mainOf(t, "en", page.SignUpStart{EmailOff: true}); len(main.named("form")) > 0 {
		t.Error("a sign-up begins that cannot go on")
	}
	if main = mainOf(t, "en", page.Recover{EmailOff: true}); len(main.named("form")) > 0 {
		t.Error("a link is promised that cannot be mailed")
	}
}

// TestWhyNotConfirmedIsOnePage: a mismatch, no contact that matches and a protected
// patient must look the same, and the zero outcome is the strict one.
func TestWhyNotConfirmedIsOnePage(t *testing.T) {
	zero, named := page.SignedUp{Reference: "DIL-7F3K-Q2"}, page.SignedUp{Reference: "DIL-7F3K-Q2", Outcome: page.OutcomeNotConfirmed}
	for _, lang := range languages {
		f := page.Frame{Lang: lang}
		if !bytes.Equal(render(t, f, zero), render(t, f, named)) {
			t.Errorf("%s: two pages", lang)
		}
	}
	words := mainOf(t, "en", zero).words()
	for _, want := range []string{"We could not confirm this online", "DIL-7F3K-Q2", "GP surgery", "in person", "21 days", "07700 900000", "9am to 5pm"} {
		if !strings.Contains(words, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, bad := range []string{"match", "protected", "wrong number", "not found"} {
		if strings.Contains(words, bad) {
			t.Errorf("the page says %q", bad)
		}
	}
}

func TestANumberThatWeFoundIsNeverShown(t *testing.T) {
	number, err := identity.ParseNHSNumber("9990000018")
	if err != nil {
		t.Fatal(err)
	}
	for unknown, want := range map[bool]bool{true: false, false: true} {
		doc := render(t, page.Frame{Lang: "en"}, page.CheckAnswers{Details: identity.Details{NHSNumber: number}, NumberUnknown: unknown})
		if got := bytes.Contains(doc, []byte("999 000 0018")); got != want {
			t.Errorf("unknown %v: shown: %v", unknown, got)
		}
	}
}

func TestTooYoungNamesNoOtherPersonsAccount(t *testing.T) {
	for lang, words := range map[string][]string{"en": {"parent", "guardian", "someone else", "their account"}, "cy": {"rhiant", "rhieni", "gwarcheidwad", "rhywun arall"}} {
		for _, from := range []time.Time{{}, pagetest.Now} {
			main := mainOf(t, lang, page.TooYoung{MinimumAge: 16, From: from})
			for _, word := range words {
				if strings.Contains(main.words(), word) {
					t.Errorf("%s: the page says %q", lang, word)
				}
			}
			if asks := len(main.named("form")) == 1; asks != from.IsZero() || strings.Contains(main.words(), " 2026") == asks {
				t.Errorf("%s: asks %v in %q", lang, asks, main.words())
			}
		}
	}
}

func TestCardCodesAreInGroups(t *testing.T) {
	card := page.Card{Codes: []string{"ACDEFGHJKMNPQR", "ACDE-FGHJ-KMNP-QR", "ACDE FGHJ", "ACD", ""}}
	want := []string{"ACDE-FGHJ-KMNP-QR", "ACDE-FGHJ-KMNP-QR", "ACDE FGHJ", "ACD", ""}
	if got := card.Grouped(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if got := (page.CardAsk{Action: "/a?to=%2Fb"}).Large(); got != "/a?large=1&to=%2Fb" {
		t.Errorf("large print at %s", got)
	}
}

// TestTheNewPasswordIsKeptUnderItsName: a password manager needs the address beside
// it, and a patient does not.
func TestTheNewPasswordIsKeptUnderItsName(t *testing.T) {
	email, err := identity.ParseEmail("prawf@example.com")
	if err != nil {
		t.Fatal(err)
	}
	names := func(e identity.Email) []*element {
		return mainOf(t, "en", page.NewPassword{Email: e}).find(func(e *element) bool { return e.attrs["autocomplete"] == "username" })
	}
	got := names(email)
	if len(got) != 1 || got[0].attrs["value"] != "prawf@example.com" || got[0].attrs["tabindex"] != "-1" || got[0].attrs["aria-hidden"] != "true" {
		t.Errorf("got %d names", len(got))
	}
	if len(names(identity.Email{})) != 0 {
		t.Error("a name where none is known")
	}
}

func TestOwnAccountTellsWhoSaidSo(t *testing.T) {
	own := mainOf(t, "en", page.Account{Sources: []page.Source{{Own: true}}, Own: &page.Own{}}).words()
	if !strings.Contains(own, "You told us these details yourself") || strings.Contains(own, "come from") {
		t.Errorf("got %q", own)
	}
	for _, offered := range []string{"Change your", "Forget", "card", "not my"} {
		if strings.Contains(own, offered) {
			t.Errorf("%q is offered without an address", offered)
		}
	}
	if provided := mainOf(t, "en", page.Account{Sources: []page.Source{{}}}).words(); strings.Contains(provided, "You told us") {
		t.Error("a provider's word is called the patient's")
	}
}

func TestTheChooserStillHasNoField(t *testing.T) {
	for _, c := range []page.Login{{}, {EmailURL: "/login/email", SignUpURL: "/sign-up"}, {Providers: []page.ProviderButton{{}}, EmailURL: "/login/email"}} {
		main := mainOf(t, "en", c)
		if len(main.named("form"))+len(main.named("input")) > 0 {
			t.Error("a field stands beside the button of NHS login")
		}
	}
}
