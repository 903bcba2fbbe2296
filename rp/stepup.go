package rp

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/rp/page"
	"github.com/dilys-id/dilys/rp/portal"
)

const stepUpPath = "/step-up"

// stepUpURL leads to the step-up for that destination.
func stepUpURL(to attempt.Return) string { return emailURL(stepUpPath, to, false) }

// step is a step-up that is being shown or judged.
type step struct {
	to      attempt.Return
	waiting portal.Waiting
	offers  []attempt.Offer // that would do, the least trouble first
	way     attempt.Way     // chosen; empty: none would do
}

// demand reads what is asked, and by whom. It reports done when it has answered:
// nobody is logged in, or the session is enough by now.
func (v *visit) demand() (st step, done bool, err error) {
	values := v.values()
	if st.to, st.waiting, err = v.destination(values); err != nil {
		return st, true, err
	}
	v.path = stepUpURL(st.to)
	if v.session == nil {
		return st, true, v.redirect(emailURL("/login", st.to, false))
	}
	enough, err := v.enough(st)
	if err != nil {
		return st, true, err
	}
	switch {
	case enough(v.session.Assessment):
		return st, true, v.redirect(landing(st.to))
	case v.session.Evidence.Frozen != "" && !v.fresher(st):
		return st, true, v.frozen(st.to)
	}
	offers, err := v.attempts.Offers(v.r.Context(), *v.session, v.reach(st.waiting))
	if err != nil {
		return st, true, err
	}
	st.offers = attempt.StepUps(v.session.Evidence, offers, enough, v.now())
	st.way = chosenWay(attempt.WaysOf(st.offers), attempt.Way(single(values, "way")))
	return st, false, nil
}

// enough returns what the one who asks admits. A page of ours below the account, of
// which no gateway rule speaks, wants what a change of the factors wants.
func (v *visit) enough(st step) (attempt.Demand, error) {
	switch {
	case st.waiting.Met != nil:
		return st.waiting.Met, nil
	case strings.HasPrefix(st.to.Path, "/account/"):
		return v.attempts.FactorDemand(v.r.Context(), v.session.Account)
	}
	return func(identity.Assessment) bool { return true }, nil
}

// fresher reports whether only the time of the last proof is missing: a page of ours
// may ask that of a patient whose record is frozen, too.
func (v *visit) fresher(st step) bool {
	return st.waiting.Enough == nil || st.waiting.Enough(v.session.Trust)
}

// reach returns what each provider's login may bring for the one who waits, who may
// want a certain provider.
func (v *visit) reach(waiting portal.Waiting) map[string][]identity.Trust {
	all := map[string][]identity.Trust{}
	for _, p := range v.providers {
		if p.Prompt == PromptNever && waiting.Fresh { // it asks for nothing again
			continue
		}
		all[p.Words.ID] = p.Reach
	}
	return all
}

func chosenWay(good attempt.Ways, wanted attempt.Way) attempt.Way {
	switch {
	case good.Has(wanted):
		return wanted
	case len(good) > 0:
		return good[0]
	}
	return ""
}

// stepUp asks for one proof more (GET /step-up). Where only the provider can give it
// there is nothing to choose, and the patient goes straight there.
func (s *Server) stepUp(v *visit) error {
	st, done, err := v.demand()
	if done {
		return err
	}
	if len(attempt.WaysOf(st.offers)) == 1 && st.way == attempt.WayProvider && !v.r.URL.Query().Has("way") {
		return v.redirect(emailURL("/login/"+url.PathEscape(st.offers[0].Provider), st.to, false))
	}
	hold, err := v.attempts.Held(v.r.Context(), *v.session)
	if err != nil {
		return err
	}
	if !hold.Until.IsZero() && !hold.Paused && (hold.LetIn || st.way == "") { // time alone mends it
		return v.show(http.StatusOK, page.Regained{Opens: hold.Until, SetUp: hold.LetIn, To: declineURL(st.to)})
	}
	return v.showStepUp(st, http.StatusOK, nil)
}

func (v *visit) showStepUp(st step, status int, change func(*page.StepUp)) error {
	content := page.StepUp{
		Portal: st.waiting.Name, RequestID: st.to.Request, Return: st.to.Path, Way: page.StepUpWay(st.way), Lasts: code.Life(code.StepUp),
		Stale: st.way != "" && v.fresher(st), Reasons: v.session.Reasons,
		SignedBy: v.providerWords(v.session.Provider).Name, Leave: declineURL(st.to),
	}
	for _, w := range attempt.WaysOf(st.offers) {
		if w != st.way {
			content.Others = append(content.Others, page.StepUpWay(w))
		}
	}
	for _, o := range st.offers {
		if o.Way == attempt.WayProvider {
			content.Provider = v.providerWords(o.Provider)
		}
	}
	if !v.session.Evidence.Own.IsZero() {
		content.Surer = "/account/activation"
	}
	if st.way == attempt.WayPasskey && v.passkeys != nil {
		var err error
		if content.Passkey, err = v.stepUpAsk(st); err != nil {
			return err
		}
	}
	if change != nil {
		change(&content)
	}
	var origins []string
	if p := v.providerOf(content.Provider.ID); p != nil {
		if origin, known := p.AuthorizationOrigin(); known {
			origins = append(origins, origin)
		}
	}
	return v.show(status, content, origins...)
}

// giveStepUp texts a code, or judges one (POST /step-up).
func (s *Server) giveStepUp(v *visit) error {
	st, done, err := v.demand()
	if done {
		return err
	}
	if v.field("send") != "" || v.field("resend") != "" {
		return v.textStepUp(st)
	}
	field := "code"
	if st.way == attempt.WayCard {
		field = "card_code"
	}
	seat := attempt.Seat{Secret: v.secret, Session: v.session}
	login, err := v.attempts.GiveStepUp(v.r.Context(), v.browser, seat, st.way, identity.Secret(v.field(field)))
	if errors.Is(err, attempt.ErrNotYet) { // a way without a code, or one that would not do
		return v.redirect(stepUpURL(st.to))
	}
	if key := proofFault(st.way, err); key != "" {
		return v.showStepUp(st, http.StatusUnprocessableEntity, func(p *page.StepUp) {
			p.Sent, p.Faults = true, []page.Fault{{Field: field, Key: key}}
		})
	}
	if err != nil {
		return v.codeLimit(guessing{trip: attempt.Attempt{Return: st.to}, class: string(st.way)}, err)
	}
	v.cookies.set(v.w, sessionCookie, login.Secret.Reveal(), 0)
	return v.dispatch(attempt.Step{Kind: attempt.StepReturn, Return: st.to}, "")
}

// textStepUp texts a code, the first one or a new one.
func (v *visit) textStepUp(st step) error {
	if st.way != attempt.WayPhone {
		return v.redirect(stepUpURL(st.to))
	}
	err := v.attempts.TextStepUp(v.r.Context(), v.browser, *v.session)
	if wait := (*attempt.Wait)(nil); errors.As(err, &wait) {
		return v.showStepUp(st, http.StatusUnprocessableEntity, func(p *page.StepUp) {
			p.Sent, p.Faults = true, []page.Fault{{Field: "code", Key: page.FaultWait, Until: wait.Until}}
		})
	}
	if err != nil {
		return v.codeLimit(guessing{trip: attempt.Attempt{Return: st.to}, class: string(st.way)}, err)
	}
	return v.showStepUp(st, http.StatusOK, func(p *page.StepUp) { p.Sent, p.Anew = true, v.field("resend") != "" })
}
