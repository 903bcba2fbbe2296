package rp

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
	"github.com/dilys-id/dilys/rp/provider"
)

// Prompt is when a provider is told to ask the patient for everything again.
type Prompt string

// The choices of the configuration.
const (
	PromptAuto   Prompt = "auto"   // after a log-out in this browser, on a shared device, and when a portal asks
	PromptAlways Prompt = "always" // at every login
	PromptNever  Prompt = "never"  // not even then: a portal that asks for a fresh login gets none
)

// Provider is an outside service as the front door sees it.
type Provider struct {
	*provider.Provider
	Words  page.Provider
	Prompt Prompt
	Reach  []identity.Trust // the vectors that a login there may bring

	Passkeys bool // its patients may come back with a passkey
}

// chooser shows how the patient can log in (GET /login).
func (s *Server) chooser(v *visit) error {
	to, waiting, err := v.destination(v.r.URL.Query())
	if err != nil {
		return err
	}
	switch again := v.r.URL.Query().Has(portal.LoginAgain); {
	case v.session != nil && to.Request == "" && !again:
		return v.redirect(landing(to))
	case v.session != nil && again && waiting.Met != nil: // a gateway wants more than the session has
		return v.redirect(stepUpURL(to))
	}
	content := page.Login{
		Portal: waiting.Name, RequestID: to.Request, Return: to.Path, Shared: v.param("device") == "shared",
	}
	if s.signUp.Open {
		content.EmailURL, content.SignUpURL = emailURL("/login/email", to, content.Shared), emailURL("/sign-up", to, false)
	}
	if content.Passkey, err = v.askPasskey(to, content.Shared); err != nil {
		return err
	}
	var origins []string
	for _, p := range s.providers {
		content.Providers = append(content.Providers, page.ProviderButton{
			Provider: p.Words, Down: p.Health().State == provider.Down,
		})
		if origin, known := p.AuthorizationOrigin(); known {
			origins = append(origins, origin)
		}
	}
	return v.show(http.StatusOK, content, origins...)
}

// destination reads where a login is for: a portal's waiting request or a page of
// our own.
func (v *visit) destination(values url.Values) (attempt.Return, portal.Waiting, error) {
	if id := single(values, "request"); id != "" {
		waiting, err := v.portals.Waiting(v.r.Context(), id)
		switch {
		case errors.Is(err, identity.ErrNotFound), errors.Is(err, identity.ErrExpired):
			return attempt.Return{}, waiting, refuse(http.StatusBadRequest, page.TooLate, "request-expired").again("/login")
		case err != nil:
			return attempt.Return{}, waiting, err
		}
		v.note.portal = waiting.Portal
		v.leads = append(v.leads, waiting.Origin)
		return attempt.Return{Request: id}, waiting, nil
	}
	path, _ := parseReturnTo(single(values, "return"))
	own := portal.Waiting{Door: v.ownDoor}
	own.Need = v.portals.Needs(path)
	v.leads = append(v.leads, v.portals.GateOf(path))
	return attempt.Return{Path: path}, own, nil
}

// landing is the address of where a login was for.
func landing(to attempt.Return) string {
	switch {
	case to.Request != "":
		return "/authorize?" + url.Values{"request": {to.Request}}.Encode()
	case to.Path != "":
		return to.Path
	}
	return "/account"
}

// startAgain is where "Start again" leads: through the chooser to the page first
// asked for.
func startAgain(to attempt.Return) string {
	switch {
	case to.Request != "":
		return landing(to) // the request judges anew what login it needs
	case to.Path != "":
		return "/login?" + url.Values{"return": {to.Path}}.Encode()
	}
	return "/login"
}

// provider returns the provider of that id, or nil.
func (s *Server) provider(id string) *Provider {
	for i := range s.providers {
		if s.providers[i].Words.ID == id {
			return &s.providers[i]
		}
	}
	return nil
}

// provider returns the provider that the path names.
func (v *visit) provider() (*Provider, error) {
	if p := v.Server.provider(mux.Vars(v.r)["provider"]); p != nil {
		v.note.provider = p.Words.ID
		return p, nil
	}
	return nil, refuse(http.StatusNotFound, page.NotFound, "unknown-provider")
}

// toProvider begins a login at a provider: by the chooser's button (POST), or
// straight from a portal or the NHS App (GET /login/{provider}). A GET gives
// nobody anything: what it begins is bound to this browser, and ends with the
// patient's own login there.
func (s *Server) toProvider(v *visit) error {
	v.path = "/login" // an asserted identity in the address is good for one use
	p, err := v.provider()
	if err != nil {
		return err
	}
	values := v.r.URL.Query()
	if v.r.Method == http.MethodPost {
		values = v.r.PostForm
	}
	to, waiting, err := v.destination(values)
	if err != nil {
		return err
	}
	return v.depart(p, to, waiting, departure{
		asserted: identity.Secret(single(values, "assertedLoginIdentity")),
		shared:   single(values, "device") == "shared",
	})
}

// departure is how a patient leaves for a provider.
type departure struct {
	asserted identity.Secret // from the NHS App: who it says is at the keyboard
	shared   bool
	linking  bool // the answer is to be linked to the account of the session
}

func (v *visit) depart(p *Provider, to attempt.Return, waiting portal.Waiting, how departure) error {
	step, at, err := v.begin(p, to, waiting, how)
	if err != nil {
		return err
	}
	return v.dispatch(step, at)
}

// begin begins an attempt at the provider, and returns where it leads.
func (v *visit) begin(p *Provider, to attempt.Return, waiting portal.Waiting, how departure) (attempt.Step, string, error) {
	fresh, err := v.fresh(p, waiting, how)
	if err != nil {
		return attempt.Step{}, "", err
	}
	trip, err := p.Begin(v.r.Context(), provider.Departure{
		Fresh: fresh && how.asserted == "", AssertedLoginIdentity: how.asserted, Enough: waiting.Enough,
	})
	if err != nil {
		return attempt.Step{}, "", v.providerDown(p, to, err)
	}
	a := attempt.Attempt{
		Provider: p.Words.ID, Browser: v.ensureBrowser(how.shared).Digest(), Return: to, Door: waiting.Door,
		Shared: how.shared, Linking: how.linking, InApp: inNHSApp(v.r.UserAgent()), Language: v.lang, Challenge: trip.Challenge,
	}
	if v.session != nil {
		a.Session = v.session.Handle
	}
	step, err := v.attempts.Start(v.r.Context(), trip.State, a)
	return step, trip.URL, err
}

// fresh reports whether the provider must ask for everything again. NHS login has
// no logout, and no max_age to ask with.
func (v *visit) fresh(p *Provider, waiting portal.Waiting, how departure) (bool, error) {
	switch {
	case p.Prompt == PromptAlways, how.linking:
		return true, nil
	case p.Prompt == PromptNever:
		return false, nil
	}
	if waiting.Fresh || how.shared || v.session != nil {
		return true, nil // with a session, only a login of its own can raise it
	}
	return v.attempts.AskAgain(v.r.Context(), v.browser)
}

func (v *visit) providerDown(p *Provider, to attempt.Return, err error) error {
	r := refuse(http.StatusServiceUnavailable, page.ProviderDown, "provider-down").again(startAgain(to))
	r.page.Return = declineURL(to)
	r.page.Provider, r.err = p.Words.Name, fmt.Errorf("begin at %s: %w", p.Words.ID, err)
	return r
}

// callback takes what a provider sent the patient back with
// (GET /login/{provider}/callback). The order matters: the attempt is spent before
// its answer is looked at, so that an answer is judged once.
func (s *Server) callback(v *visit) error {
	v.path = "/login" // code and state are good for one use
	p, err := v.provider()
	if err != nil {
		return err
	}
	a, err := v.attempts.Claim(v.r.Context(), identity.Secret(v.param("state")), v.browser, p.Words.ID)
	v.path = startAgain(a.Return)
	if err != nil {
		return v.unclaimed(a, err)
	}
	answer, err := p.Finish(v.r.Context(), a.Challenge, provider.Callback{
		Code: identity.Secret(v.param("code")), Error: v.param("error"), Description: v.param("error_description"),
		Issuer: v.param("iss"), HasIssuer: v.r.URL.Query().Has("iss"),
	})
	if err != nil {
		return v.unanswered(p, a, err)
	}
	return v.arrive(p, a, answer)
}

// unclaimed refuses a late, used or foreign callback: nothing is exchanged, and
// "Start again" leads to the page first asked for. A callback that is asked for
// again by the browser it logged in (Back, Reload) just goes on.
func (v *visit) unclaimed(a attempt.Attempt, err error) error {
	if errors.Is(err, identity.ErrSpent) && v.session != nil && a.Opened == v.session.Handle {
		return v.dispatch(attempt.Next(a), "")
	}
	for cause, is := range map[string]error{
		"callback-unknown": identity.ErrNotFound, "callback-foreign": identity.ErrForeign,
		"callback-late": identity.ErrExpired, "callback-used": identity.ErrSpent,
	} {
		if errors.Is(err, is) {
			kind := page.TooLate
			if v.browser == "" {
				kind = page.CookiesOff
			}
			return refuse(http.StatusBadRequest, kind, cause).again(startAgain(a.Return))
		}
	}
	return err
}

// arrive gives the patient a session on the provider's answer.
func (v *visit) arrive(p *Provider, a attempt.Attempt, answer identity.Answer) error {
	browser := identity.NewToken()
	login, err := v.attempts.Answer(v.r.Context(), a, answer, attempt.Seat{
		Browser: browser.Digest(), Device: describeDevice(v.r.UserAgent()), Secret: v.secret, Session: v.session,
	})
	if err != nil {
		return v.turnedAway(p, a, answer, err)
	}
	v.setBrowser(browser, login.Session.Shared)
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	return v.onward(browser, login)
}

// turnedAway puts a rule's no into a page.
func (v *visit) turnedAway(p *Provider, a attempt.Attempt, answer identity.Answer, err error) error {
	r := notLinked(err)
	switch {
	case r != nil:
	case notYet(err): // it took longer than the login here counts for
		if err := v.attempts.Refuse(v.r.Context(), a, "link-late", v.reference); err != nil {
			return err
		}
		return v.later(err, linksPath)
	case errors.Is(err, identity.ErrDisabled):
		r = refuse(http.StatusForbidden, page.Disabled, "account-disabled")
	case errors.Is(err, identity.ErrUnderAge):
		r = refuse(http.StatusForbidden, page.UnderAge, "under-age")
		if born := answer.Details.BirthDate; !born.IsZero() {
			r.page.From = born.Reaches(a.Door.MinimumAge)
		}
	case errors.Is(err, identity.ErrConflict): // another tab was answered at the same moment, and has the session
		return v.redirect(landing(a.Return))
	case errors.Is(err, identity.ErrForeign):
		r = refuse(http.StatusBadRequest, page.TooLate, "callback-foreign").again(startAgain(a.Return))
	case errors.Is(err, attempt.ErrOtherPerson):
		r = refuse(http.StatusForbidden, page.OtherPerson, "other-person").again("/logout")
	default:
		return err
	}
	return v.refuseAttempt(p, a, r)
}

// refuseAttempt records that the attempt gave nothing, under the reference that
// the page shows.
func (v *visit) refuseAttempt(p *Provider, a attempt.Attempt, r *refusal) error {
	r.page.Provider, r.page.Return = p.Words.Name, declineURL(a.Return)
	if r.page.Return != "" {
		if waiting, err := v.portals.Waiting(v.r.Context(), a.Return.Request); err == nil {
			r.page.Portal, v.note.portal = waiting.Name, waiting.Portal
		}
	}
	if err := v.attempts.Refuse(v.r.Context(), a, r.cause, v.reference); err != nil {
		return err
	}
	r.recorded = true
	return r
}

// unanswered puts what a provider refused, or what is wrong with its answer, into
// a page. NHS login's "log in by yourself then" to an asserted identity is no
// refusal: the chooser's button serves.
func (v *visit) unanswered(p *Provider, a attempt.Attempt, err error) error {
	var said *provider.Refusal
	if !errors.As(err, &said) {
		return err
	}
	if said.Kind == provider.SSOLoginRequired {
		if err := v.attempts.Refuse(v.r.Context(), a, said.Cause, v.reference); err != nil {
			return err
		}
		return v.dispatch(attempt.Step{Kind: attempt.StepChoose, Return: a.Return}, "")
	}
	words, known := refusalPages[said.Kind]
	if !known {
		words = refusalPages[provider.Other]
	}
	r := refuse(words.status, words.kind, said.Cause).again(startAgain(a.Return))
	r.err = said.Err
	return v.refuseAttempt(p, a, r)
}

// refusalPages says which page each refusal of a provider has.
var refusalPages = map[provider.Kind]struct {
	status int
	kind   page.Kind
}{
	provider.ConsentNotGiven:        {http.StatusForbidden, page.ConsentNotGiven},
	provider.AccessDenied:           {http.StatusForbidden, page.AccessDenied},
	provider.LoginRequired:          {http.StatusForbidden, page.LoginRequired},
	provider.TemporarilyUnavailable: {http.StatusServiceUnavailable, page.TemporarilyUnavailable},
	provider.Down:                   {http.StatusServiceUnavailable, page.ProviderDown},
	provider.Acting:                 {http.StatusForbidden, page.Acting},
	provider.Unproved:               {http.StatusForbidden, page.Unproved},
	provider.Other:                  {http.StatusBadGateway, page.ProviderOther},
}
