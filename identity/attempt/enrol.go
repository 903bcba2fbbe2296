package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/session"
)

// Enrolling is the journey of a patient who sets an authenticator app up: it keeps
// the seed that was shown until a code shows that the app has it.
const Enrolling JourneyKind = "authenticator"

// enrolLife is how long a seed that was shown waits for its first code: time to find
// an app and install it.
const enrolLife = 30 * time.Minute

// ErrLastFactor says that a factor can't be taken away, as it is the last. A record
// is never opened by a password alone, so an account that gave its second step up
// would open nothing; and whoever finds an unlocked device would do that first.
var ErrLastFactor = errors.New("the last second factor stays until there is another")

// enrolBody is what is sealed of an app that is being set up.
type enrolBody struct {
	Session string `json:"session"` // handle: nobody else's session binds what was shown in this one
	Seed    string `json:"seed"`
}

// FactorDemand returns what a session must be to change how its account is logged
// in to: its patient proved it in the last ten minutes, with both halves where the
// account has a second. It is judged when the change is made, so that a login with
// the password alone, of the minute before a factor came, changes nothing after.
func (r *Attempts) FactorDemand(ctx context.Context, account string) (Demand, error) {
	f, err := r.Factors(ctx, account)
	if err != nil {
		return nil, err
	}
	keys, err := r.passkeys(ctx, account)
	if err != nil {
		return nil, err
	}
	both, now := len(f.Ways()) > 0 || f.Stopped() || len(keys) > 0, r.now()
	return func(a identity.Assessment) bool {
		return a.Fresh(freshEnough, now) && (a.Trust.C.Strong() || !both)
	}, nil
}

// passkeys returns those of the account: none, where there is no room that keeps any.
func (r *Attempts) passkeys(ctx context.Context, account string) ([]factor.Passkey, error) {
	if r.own.Factors == nil {
		return nil, nil
	}
	return r.own.Factors.Passkeys(ctx, account)
}

// mayChange returns [ErrStale] or [ErrHeld] unless the session may change the
// account's factors.
func (r *Attempts) mayChange(ctx context.Context, s session.Session) error {
	hold, err := r.Held(ctx, s)
	if err != nil {
		return err
	}
	if !hold.Until.IsZero() {
		return ErrHeld
	}
	enough, err := r.FactorDemand(ctx, s.Account)
	if err == nil && !enough(s.Assessment) {
		err = ErrStale
	}
	return err
}

// BeginApp returns a new seed for the patient's app, to be shown once: it is kept,
// sealed, until [Attempts.ConfirmApp], and a later one takes its place. The app that
// the account has works on. It returns [ErrStale].
func (r *Attempts) BeginApp(ctx context.Context, browser identity.Secret, s session.Session) (identity.Secret, error) {
	if browser == "" {
		return "", identity.ErrNotFound
	}
	if _, err := r.mayBind(ctx, s); err != nil {
		return "", err
	}
	seed := factor.NewSeed()
	_, err := r.begin(ctx, Enrolling, browser.Digest(), enrolBody{s.Handle, seed.Reveal()})
	return seed, err
}

// AppPending reports whether a seed was shown in that browser and session that no
// code has come of yet.
func (r *Attempts) AppPending(ctx context.Context, browser identity.Secret, s session.Session) (bool, error) {
	_, _, err := r.enrolling(ctx, browser, s)
	if errors.Is(err, identity.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (r *Attempts) enrolling(ctx context.Context, browser identity.Secret, s session.Session) (Journey, enrolBody, error) {
	var body enrolBody
	j, err := r.resume(ctx, Enrolling, browser, &body)
	if err == nil && (body.Session != s.Handle || r.now().Sub(j.Started) > enrolLife) {
		err = identity.ErrNotFound
	}
	return j, body, err
}

// ConfirmApp binds the app whose seed was shown in that browser and session, in the
// place of the one before, once a code shows that the app has it; the code is used up
// with it. The app carries the level of the session. It returns
// [identity.ErrNotFound] where no seed waits for a code, or the session is over, and
// [code.ErrWrong] or [code.ErrMalformed].
func (r *Attempts) ConfirmApp(ctx context.Context, browser identity.Secret, s session.Session, typed identity.Secret) error {
	if _, ok := identity.ParseDigits(typed, factor.TOTPDigits); !ok {
		return code.ErrMalformed
	}
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		j, body, err := r.enrolling(ctx, browser, s)
		if err != nil {
			return err
		}
		now, acc, err := r.owner(ctx, s)
		if err != nil {
			return err
		}
		app := factor.TOTP{Account: acc.ID, Seed: identity.Secret(body.Seed), Level: bindsAt(now)}
		if _, err := r.own.Factors.BindTOTP(ctx, app, typed); err != nil {
			return wrong(err)
		}
		// The guesses were made at the app before.
		if err := r.own.Sending.Settle(ctx, guessKey(WayApp, acc.ID)); err != nil {
			return err
		}
		if err := r.journeys.EndJourney(ctx, j.ID); err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.AppAdded)
	})
}

// owner reads the session and its account inside the act. One that is over is
// [identity.ErrNotFound].
func (r *Attempts) owner(ctx context.Context, s session.Session) (session.Session, account.Account, error) {
	seat, err := r.present(ctx, Seat{Session: &s})
	if err == nil && seat.Session == nil {
		err = identity.ErrNotFound
	}
	if err != nil {
		return s, account.Account{}, err
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	return *seat.Session, acc, err
}

// changing reads the account whose factors the session changes, and these, inside the
// act. It returns [ErrStale] or [ErrHeld] where the session may not.
func (r *Attempts) changing(ctx context.Context, s session.Session) (account.Account, Factors, error) {
	now, acc, err := r.owner(ctx, s)
	if err != nil {
		return acc, Factors{}, err
	}
	if err := r.mayChange(ctx, now); err != nil {
		return acc, Factors{}, err
	}
	f, err := r.Factors(ctx, acc.ID)
	return acc, f, err
}

// mailOf is where the patient of the account is told of changes.
func mailOf(acc account.Account) identity.Contact {
	if link, own := acc.Own(); own {
		return link.Details.Email.Contact()
	}
	return acc.Details().Email.Contact()
}

// RemoveApp takes the app from the account. It returns [ErrStale], or
// [ErrLastFactor] where nothing else would be left.
func (r *Attempts) RemoveApp(ctx context.Context, s session.Session) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		acc, f, err := r.changing(ctx, s)
		if err != nil || f.App.ID == "" {
			return err
		}
		if !f.Spares(WayApp) {
			return ErrLastFactor
		}
		if err := r.own.Factors.DropTOTP(ctx, acc.ID); err != nil {
			return err
		}
		return r.tellMail(ctx, acc, outbox.AppRemoved)
	})
}

// Spares reports whether the account has a second factor without that one.
func (f Factors) Spares(way Way) bool {
	for _, other := range f.Ways() {
		if other != way {
			return true
		}
	}
	return false
}

// ChooseWay keeps which second factor the patient is asked for first. It returns
// [ErrStale], or [identity.ErrNotFound] for one that the account does not have.
func (r *Attempts) ChooseWay(ctx context.Context, s session.Session, way Way) error {
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		acc, f, err := r.changing(ctx, s)
		if err != nil {
			return err
		}
		if !f.Ways().Has(way) {
			return identity.ErrNotFound
		}
		return r.own.Factors.Choose(ctx, acc.ID, factor.Kind(way))
	})
}
