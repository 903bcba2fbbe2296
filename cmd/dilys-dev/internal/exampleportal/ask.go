package exampleportal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
	"golang.org/x/oauth2"
)

// ask is one way to ask Dilys who the patient is.
type ask struct {
	Name   string // in /login?ask=NAME
	Button string
	About  string

	prompt  string
	maxAge  time.Duration // zero: not asked
	trust   []identity.Trust
	locales string
	idpHint string
}

// asks are all ways, the ordinary one first. A list, and not parameters passed on
// from our own address: nobody else decides what this portal asks for.
var asks = []ask{
	{
		Name: "login", Button: "Log in",
		About: "Nothing special. Who is logged in to Dilys already comes back without a page.",
	},
	{
		Name: "again", Button: "Log in again", prompt: "login",
		About: "Sends prompt=login: the patient proves themselves anew, whoever is logged in.",
	},
	{
		Name: "silent", Button: "Ask without a page", prompt: "none",
		About: "Sends prompt=none: an answer at once, or the error login_required. It counts as activity of the patient.",
	},
	{
		Name: "passkey", Button: "Ask for P9.Cm", trust: []identity.Trust{{P: identity.P9, C: identity.Cm}},
		About: "Sends acr_values=P9.Cm: identity proved, and a passkey used. A request may ask for more than the portal’s floor, never for less.",
	},
	{
		Name: "recent", Button: "Within the last 5 minutes", maxAge: 5 * time.Minute,
		About: "Sends max_age=300: an older login is not enough.",
	},
	{
		Name: "welsh", Button: "Log in, in Welsh", locales: "cy",
		About: "Sends ui_locales=cy: the pages of Dilys come in Welsh.",
	},
	{
		Name: "direct", Button: "Straight to NHS login", idpHint: "nhs-login",
		About: "Sends idp_hint=nhs-login: the page that offers the choice is left out.",
	},
}

// askNamed finds a way to ask; no name means the ordinary one.
func askNamed(name string) (ask, bool) {
	if name == "" {
		return asks[0], true
	}
	for _, a := range asks {
		if a.Name == name {
			return a, true
		}
	}
	return ask{}, false
}

// params are the parameters that this way adds to a request.
func (a ask) params() []oauth2.AuthCodeOption {
	values := map[string]string{"prompt": a.prompt, "ui_locales": a.locales, "idp_hint": a.idpHint}
	if a.maxAge > 0 {
		values["max_age"] = strconv.Itoa(int(a.maxAge.Seconds()))
	}
	var vectors []string
	for _, t := range a.trust {
		vectors = append(vectors, t.String())
	}
	values["acr_values"] = strings.Join(vectors, " ")
	var out []oauth2.AuthCodeOption
	for name, value := range values {
		if value != "" {
			out = append(out, oauth2.SetAuthURLParam(name, value))
		}
	}
	return out
}

// proof is how the patient proved themselves, from the ID token.
type proof struct {
	ACR      string `json:"acr"`
	AuthTime int64  `json:"auth_time"`

	// Act is there when somebody acts for the patient (RFC 8693 §4.1). A portal
	// that passes over it shows the record to the wrong person.
	Act json.RawMessage `json:"act"`
}

// clockSkew is how far the clocks of portal and provider may differ.
const clockSkew = time.Minute

// judge returns what the login lacks of what was asked at that instant. What was
// asked for is a wish until the answer was looked at: parameters travel through
// the patient's browser, which can leave them out (OpenID Connect Core §3.1.3.7,
// steps 12 and 13).
func (a ask) judge(floor []identity.Trust, p proof, asked, now time.Time) error {
	if p.Act != nil {
		return errors.New("act: wanted the patient alone, got somebody who acts for them")
	}
	reached, err := identity.ParseTrust(p.ACR)
	if err != nil {
		return fmt.Errorf("acr: %w", err)
	}
	if !reached.SatisfiesAny(floor) {
		return fmt.Errorf("acr: wanted one of %v, got %v", floor, reached)
	}
	if len(a.trust) > 0 && !reached.SatisfiesAny(a.trust) {
		return fmt.Errorf("acr: wanted %v as asked, got %v", a.trust, reached)
	}
	proved := time.Unix(p.AuthTime, 0)
	switch {
	case a.prompt != "login" && a.maxAge == 0:
		return nil
	case p.AuthTime == 0:
		return errors.New("auth_time: wanted it, as a fresh login was asked for, got none")
	case proved.After(now.Add(clockSkew)):
		return errors.New("auth_time: wanted an instant in the past, got one in the future")
	case a.prompt == "login" && proved.Before(asked.Add(-clockSkew)):
		return errors.New("auth_time: wanted a login since it was asked for, got an older one")
	case a.maxAge > 0 && now.Sub(proved) > a.maxAge+clockSkew:
		return fmt.Errorf("auth_time: wanted a login of the last %v, got an older one", a.maxAge)
	}
	return nil
}
