package page

import (
	"time"

	"github.com/dilys-id/dilys/identity"
)

// CodePurpose is what a code of six digits is asked for.
type CodePurpose string

// The purposes of a code.
const (
	CodeSignUpEmail CodePurpose = "sign-up-email"
	CodeSignUpPhone CodePurpose = "sign-up-phone"
	CodeLogin       CodePurpose = "login"
	CodeLoginEmail  CodePurpose = "login-email"
	CodeRecover     CodePurpose = "recover"
	CodeChangeEmail CodePurpose = "change-email"
	CodeChangePhone CodePurpose = "change-phone"
)

// codeAt says where each code is given.
var codeAt = map[CodePurpose]string{
	CodeSignUpEmail: signUpAt + "/email-code", CodeSignUpPhone: signUpAt + "/phone-code", CodeLogin: loginAt + "/code", CodeLoginEmail: loginAt + "/code",
	CodeRecover: recoverAt + "/factor", CodeChangeEmail: "/account/email-code", CodeChangePhone: "/account/phone-code",
}

// Code asks for the code that was sent (`code`), in one input. A second form asks
// for a new one (`resend`). Whether anything was sent, the page does not tell.
type Code struct {
	Purpose      CodePurpose
	To           string // the address as typed; see [Code.Shown]
	Sent         bool   // a new code was sent just now
	Lasts        time.Duration
	Remember     bool // the browser may be remembered (`remember`); not on somebody else's device
	Off          bool // no message can be sent now in which such a code comes
	Action       string
	ResendAction string // empty: Action
	ChangeURL    string // where a wrong address is mended; empty: none
	Others       []OtherWay
	LostPhoneURL string // empty: none
	Back         string
	Progress     Progress
	Faults       []Fault
}

func (Code) template() string { return "code" }

// ByEmail reports whether the code came by e-mail, not by text.
func (p Code) ByEmail() bool {
	return p.Purpose == CodeSignUpEmail || p.Purpose == CodeChangeEmail || p.Purpose == CodeLoginEmail
}

// Shown returns the address where it may be shown: to who has just typed it. A
// log-in and a recovery never show whose phone it is.
func (p Code) Shown() string {
	switch p.Purpose {
	case CodeSignUpEmail, CodeSignUpPhone, CodeChangeEmail, CodeChangePhone:
		if p.ByEmail() {
			return p.To
		}
		return shownAddress(identity.BySMS, p.To)
	}
	return ""
}

// LogsIn reports whether the code logs the patient in.
func (p Code) LogsIn() bool { return p.Purpose == CodeLogin || p.Purpose == CodeLoginEmail }

func (p Code) title(v *voice, _ *site) (string, error) {
	if p.ByEmail() {
		return v.plain("code.email-title")
	}
	return v.plain("code.text-title")
}

func (p Code) form() form {
	return form{or(p.Action, or(codeAt[p.Purpose], "/")), p.Back, p.Progress, p.Faults}
}

// Resend returns where a new code is asked for.
func (p Code) Resend() string { return or(p.ResendAction, p.form().action) }

// CardCode asks for a code of the printed card (`card_code`).
type CardCode struct {
	Others  []OtherWay
	LostURL string // what helps without card and phone; empty: none
	LogsIn  bool   // the code logs the patient in
	Action  string // empty: /login/email/card
	Back    string
	Faults  []Fault
}

func (CardCode) template() string { return "card-code" }

func (CardCode) title(v *voice, _ *site) (string, error) { return v.plain("card-code.title") }

func (p CardCode) form() form {
	return form{action: or(p.Action, loginAt+"/card"), back: p.Back, faults: p.Faults}
}

// LostPhone says what helps without the phone.
type LostPhone struct {
	LetInURL string // the way by a code from staff; empty: none
	CardURL  string // the way by printed card; empty: none
	Texts    bool   // codes are texted to it: a SIM with the same number helps
	Back     string
}

func (LostPhone) template() string { return "lost-phone" }

func (LostPhone) title(v *voice, _ *site) (string, error) { return v.plain("lost-phone.title") }

func (p LostPhone) form() form { return form{back: p.Back} }

// Card shows the ten codes of a printed card, once. It is made for paper: printed,
// nothing else is on it.
type Card struct {
	Codes  []string // in the order of the card; a code without groups is put into groups of four
	Large  bool     // large print
	To     string   // where the patient goes on, posted along as `to`; may be empty
	Action string   // where it is told that the codes are kept; empty: /account/second-way/done
}

func (Card) template() string { return "card" }

func (Card) title(v *voice, _ *site) (string, error) { return v.plain("card.title") }

func (p Card) form() form { return form{action: or(p.Action, secondWayAt+"/done")} }

// Grouped returns the codes as people read them.
func (p Card) Grouped() []string {
	all := make([]string, 0, len(p.Codes))
	for _, c := range p.Codes {
		all = append(all, grouped(c))
	}
	return all
}

// Hidden returns what is posted along.
func (p Card) Hidden() []Field { return onward(p.To) }

// CardAsk offers the printed card, and to go on without (`risk`).
type CardAsk struct {
	Left     int    // codes left on the card there is; making another ends it
	Phone    bool   // codes can be texted too
	To       string // where the patient goes on, posted along as `to`; may be empty
	Action   string // empty: /account/second-way
	Keep     string // where the card there is, is kept; empty: /account/second-way/done
	Progress Progress
}

func (CardAsk) template() string { return "card-ask" }

func (CardAsk) title(v *voice, _ *site) (string, error) { return v.plain("card-ask.title") }

func (p CardAsk) form() form { return form{action: or(p.Action, secondWayAt), progress: p.Progress} }

// Large returns where the card is asked for in large print.
func (p CardAsk) Large() string { return withQuery(p.form().action, "large", "1") }

// Kept returns where the patient goes on with the card there is.
func (p CardAsk) Kept() string { return or(p.Keep, secondWayAt+"/done") }

// Hidden returns what is posted along.
func (p CardAsk) Hidden() []Field { return onward(p.To) }

const secondWayAt = "/account/second-way"

func onward(to string) []Field {
	if to == "" {
		return nil
	}
	return []Field{{"to", to}}
}

// grouped puts a code into groups of four, unless it has groups already.
func grouped(code string) string {
	const group = 4
	out := make([]byte, 0, len(code)+len(code)/group)
	for i := range len(code) {
		if code[i] == '-' || code[i] == ' ' {
			return code
		}
		if i > 0 && i%group == 0 {
			out = append(out, '-')
		}
		out = append(out, code[i])
	}
	return string(out)
}

// Activation asks for a code that staff handed over (`activation_code`). What was
// typed never comes back: it may be the code of somebody else.
type Activation struct {
	Action string // empty: /account/activation
	Back   string // empty: /account

	Reference string // of a code that was not taken
	Faults    []Fault
}

func (Activation) template() string { return "activation" }

func (Activation) title(v *voice, _ *site) (string, error) { return v.plain("activation.title") }

func (p Activation) form() form {
	return form{action: or(p.Action, activationAt), back: or(p.Back, accountAt), faults: p.Faults}
}

const (
	accountAt    = "/account"
	activationAt = accountAt + "/activation"
)
