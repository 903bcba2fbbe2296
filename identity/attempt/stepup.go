package attempt

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// SteppingUp is the journey of a patient who was texted a code to step up.
const SteppingUp JourneyKind = "step-up"

// The ways that are no second factor of ours, for a patient who is logged in.
const (
	WayProvider Way = "provider" // the provider that is linked asks again
	WayPassword Way = "password" // the whole login here: password, then code
)

// stepUpWays is every way, the least trouble first.
var stepUpWays = slices.Concat(Ways{WayPasskey}, secondFactors, Ways{WayProvider, WayPassword})

// Offer is a way that an account has, with what it would prove at that instant.
type Offer struct {
	Way      Way
	Provider string // of WayProvider: its id
	Passkey  string // of WayPasskey: which
	Proves   identity.Evidence
}

// Onto returns the evidence of a session to which the offer was added. A whole login
// takes the place of what was proved before, as it does when it is made.
func (o Offer) Onto(e identity.Evidence) identity.Evidence {
	if o.Way == WayProvider || o.Way == WayPassword {
		return o.Proves
	}
	e.Frozen = o.Proves.Frozen
	if e.Own.IsZero() || o.Proves.Own.Level < e.Own.Level { // what rose elsewhere is not this session's
		e.Own.Level, e.Own.Basis, e.Own.Lapses = o.Proves.Own.Level, o.Proves.Own.Basis, o.Proves.Own.Lapses
	}
	if o.Way == WayPasskey {
		e.Own.Passkey = o.Proves.Own.Passkey
		return e
	}
	e.Own.Possession, e.Own.Means = o.Proves.Own.Possession, o.Proves.Own.Means
	return e
}

// Demand reports whether a session that is judged so is enough for the one who asks.
type Demand func(identity.Assessment) bool

// StepUps returns the offers by which a session of that evidence would be enough, the
// least trouble first. It is pure, and the only place that decides it: an offer is
// made only if the very judgement that follows it would do, so that nobody is asked
// for something in vain.
func StepUps(e identity.Evidence, offers []Offer, enough Demand, now time.Time) []Offer {
	var good []Offer
	for _, w := range stepUpWays {
		for _, o := range offers {
			if o.Way == w && enough(identity.Assess(o.Onto(e), now)) {
				good = append(good, o)
			}
		}
	}
	return good
}

// Offers returns every way in which the patient of that session can prove themselves
// now. reach tells which vectors each provider's login may bring; a provider that is
// not linked to the account is no way.
func (r *Attempts) Offers(ctx context.Context, s session.Session, reach map[string][]identity.Trust) ([]Offer, error) {
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return nil, err
	}
	own, err := r.ownOffers(ctx, acc)
	if err != nil {
		return nil, err
	}
	all := append(own, r.providerOffers(acc, reach)...)
	for i := range all {
		all[i].Proves.Frozen = acc.Frozen()
	}
	return all, nil
}

func (r *Attempts) providerOffers(acc account.Account, reach map[string][]identity.Trust) []Offer {
	now := r.now().UTC()
	var all []Offer
	for _, l := range acc.Links {
		for _, v := range reach[l.Provider] {
			all = append(all, Offer{Way: WayProvider, Provider: l.Provider, Proves: identity.Evidence{
				Provider: identity.Proof{Provider: l.Provider, Trust: v, Level: max(l.Level, v.P), AuthTime: now, At: now},
			}})
		}
	}
	return all
}

// ownOffers returns what the patient can prove to ourselves.
func (r *Attempts) ownOffers(ctx context.Context, acc account.Account) ([]Offer, error) {
	if r.own.Factors == nil {
		return nil, nil
	}
	now := r.now().UTC()
	standing := r.standing(acc)
	all, err := r.passkeyOffers(ctx, acc)
	if err != nil {
		return nil, err
	}
	f, err := r.Factors(ctx, acc.ID)
	if err != nil {
		return nil, err
	}
	for _, w := range f.Ways() {
		proves := standing
		would := f.proof(w)
		proves.Possession, proves.Means = would.use(acc, now), would.means
		all = append(all, Offer{Way: w, Proves: identity.Evidence{Own: proves}})
	}
	return r.withPassword(ctx, acc, all)
}

// withPassword adds the whole login, once for each possession, to accounts that have
// a password.
func (r *Attempts) withPassword(ctx context.Context, acc account.Account, all []Offer) ([]Offer, error) {
	record, err := r.own.Passwords.Of(ctx, acc.ID)
	if errors.Is(err, identity.ErrNotFound) {
		return all, nil
	}
	if err != nil {
		return nil, err
	}
	use := identity.Use{Level: record.Level, At: r.now().UTC(), Held: acc.Held(record.Set)}
	alone := r.standing(acc)
	alone.Password = use
	whole := []Offer{{Way: WayPassword, Proves: identity.Evidence{Own: alone}}}
	for _, o := range all {
		if o.Way == WayPasskey { // it is whole by itself
			continue
		}
		o.Way, o.Proves.Own.Password = WayPassword, use
		whole = append(whole, o)
	}
	if len(whole) > 1 { // who has a second factor is asked for it
		whole = whole[1:]
	}
	return append(all, whole...), nil
}

// stepBody is what is sealed of a step-up under way.
type stepBody struct {
	Session string    `json:"session"` // handle
	SentAt  time.Time `json:"sent_at,omitzero"`
}

// TextStepUp texts a code to the phone of the session's account, the first one or a
// new one in its place. It returns *[Wait] when one was texted a moment ago, and
// [ErrFactorOff] where the phone opens nothing.
func (r *Attempts) TextStepUp(ctx context.Context, browser identity.Secret, s session.Session) error {
	if browser == "" {
		return identity.ErrNotFound
	}
	bond, _, err := r.bond(ctx, stepAsk(browser, s), WayPhone)
	if err != nil {
		return err
	}
	var body stepBody
	j, err := r.resume(ctx, SteppingUp, browser, &body)
	if errors.Is(err, identity.ErrNotFound) || err == nil && body.Session != s.Handle {
		body = stepBody{Session: s.Handle}
		j, err = r.begin(ctx, SteppingUp, browser.Digest(), body)
	}
	if err != nil {
		return err
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return err
	}
	d := dispatch{bond: bond, kind: outbox.CodeLogin, language: acc.Language, flow: j.ID, last: body.SentAt, loggedIn: true}
	return r.send(ctx, d, func(ctx context.Context) error {
		_, err := r.keep(ctx, j, stepBody{Session: s.Handle, SentAt: r.now().UTC()})
		return err
	})
}

func stepAsk(browser identity.Secret, s session.Session) ask {
	return ask{account: s.Account, browser: browser.Digest(), purpose: code.StepUp}
}

// GiveStepUp judges a code, of the app, texted or of the card, and raises the session
// of that seat with it. The errors are those of [Attempts.GiveSecond]; [ErrNotYet] is
// for a way without a code.
func (r *Attempts) GiveStepUp(ctx context.Context, browser identity.Secret, seat Seat, w Way, typed identity.Secret) (Login, error) {
	if seat.Session == nil {
		return Login{}, identity.ErrNotFound
	}
	if browser == "" || !secondFactors.Has(w) {
		return Login{}, ErrNotYet
	}
	proved, err := r.proveWay(ctx, stepAsk(browser, *seat.Session), w, typed)
	if err != nil {
		return Login{}, err
	}
	return r.stepUp(ctx, seat, w, proved)
}

// stepUp raises the session with what was proved, in one act. It opens no other
// session, and raises none whose account has changed since.
func (r *Attempts) stepUp(ctx context.Context, seat Seat, w Way, proved proof) (Login, error) {
	var login Login
	at := r.now().UTC()
	e := &audit.Event{
		Kind: audit.SessionRaised, Actor: audit.Patient, Account: seat.Session.Account, Session: seat.Session.Handle, Cause: "step-up-" + string(w),
	}
	err := r.ledger.Act(ctx, e, func(ctx context.Context) error {
		now, err := r.present(ctx, seat)
		if err != nil {
			return err
		}
		if now.Session == nil {
			return identity.ErrNotFound
		}
		acc, err := r.accounts.Account(ctx, now.Session.Account)
		if err != nil {
			return err
		}
		added := r.standing(acc)
		if proved.key != nil {
			added.Passkey, err = r.useKey(ctx, *proved.key, acc, at)
			if err != nil {
				return err
			}
		} else {
			added.Possession, added.Means = proved.use(acc, at), proved.means
		}
		offer := Offer{Way: w, Proves: identity.Evidence{Own: added, Frozen: acc.Frozen()}}
		secret, s, err := r.sessions.Raise(ctx, *now.Session, seat.Secret, offer.Onto(now.Session.Evidence))
		login = Login{Secret: secret, Session: s}
		return err
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}

// WaysOf returns the ways of the offers, each once, in their order.
func WaysOf(offers []Offer) Ways {
	var all Ways
	for _, o := range offers {
		if !all.Has(o.Way) {
			all = append(all, o.Way)
		}
	}
	return all
}
