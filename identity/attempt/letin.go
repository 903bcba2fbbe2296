package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
	"github.com/dilys-id/dilys/identity/session"
)

// ErrHeld says that nothing is changed now of how the account is opened: the session
// was opened with what was set up after a recovery, for three days, or the patient said
// that something was not them, for a day.
var ErrHeld = errors.New("changes are held")

// use is what a session keeps of what was proved at that instant.
func (p proof) use(acc account.Account, at time.Time) identity.Use {
	if p.means == "" {
		return identity.Use{}
	}
	return identity.Use{Level: p.factor.Level, At: at, Held: acc.Held(p.factor.Bound)}
}

// letBackIn keeps that people let the patient in, and tells every address of the
// account. It must be called in the act that gives the session.
func (r *Attempts) letBackIn(ctx context.Context, acc account.Account) (account.Account, error) {
	acc, err := r.accounts.Recover(ctx, acc.ID)
	if err != nil {
		return acc, err
	}
	return acc, r.tellAll(ctx, acc, outbox.Recovered)
}

// tryLetIn uses up a code with which people let the patient in: one that two of staff
// made for this account, or one that the practice handed to the patient whose NHS
// number it has. What else the latter proves is not taken for true here: it is given
// in the place of a lost phone, by whoever has it.
func (r *Attempts) tryLetIn(ctx context.Context, id string, typed identity.Secret) error {
	_, err := r.own.Factors.SpendRecovery(ctx, id, typed)
	if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	handed, err := r.own.Factors.SpendHanded(ctx, id, typed)
	if errors.Is(err, identity.ErrNotFound) {
		return code.ErrWrong
	}
	if err != nil {
		return err
	}
	acc, err := r.accounts.Account(ctx, id)
	if err != nil {
		return err
	}
	if link, _ := acc.Own(); link.Level < identity.P5 || handed.NHSNumber != link.Details.NHSNumber {
		return code.ErrWrong
	}
	return nil
}

// LetIn reports whether people let the patient of that session in, who has a new way
// to set up now.
func LetIn(s session.Session) bool {
	return s.Evidence.Own.Means == identity.MeansRecovery && !s.Evidence.Own.Possession.At.IsZero()
}

// Hold is what stands of an account after a recovery or an alarm.
type Hold struct {
	Until  time.Time // when what was set up since opens what the account holds, or what is paused opens; zero: nothing is held
	LetIn  bool      // this very session was opened by people: a new way can be set up in it
	Paused bool      // it is an alarm's: the session opens what it always opened, and changes nothing
}

// Held returns what is held in that session, and in its account.
func (r *Attempts) Held(ctx context.Context, s session.Session) (Hold, error) {
	h := r.heldBack(s)
	if !h.Until.IsZero() {
		return h, nil
	}
	acc, err := r.accounts.Account(ctx, s.Account)
	if err == nil && acc.Paused.After(r.now()) {
		h.Until, h.Paused = acc.Paused, true
	}
	return h, err
}

// heldBack returns what is held in that session alone.
func (r *Attempts) heldBack(s session.Session) Hold {
	h := Hold{LetIn: LetIn(s)}
	for _, u := range []identity.Use{s.Evidence.Own.Password, s.Evidence.Own.Possession, s.Evidence.Own.Passkey} {
		if u.Held.After(r.now()) && u.Held.After(h.Until) {
			h.Until = u.Held
		}
	}
	if h.LetIn && h.Until.IsZero() {
		h.Until = s.Evidence.Own.Possession.At.Add(account.RecoveryHold)
	}
	return h
}

// bindsAt returns the level that a factor carries which that session binds. In the
// session that people opened it is that of the password beside their code: what the
// patient knew, and not what the code proved, which is nothing. It counts only once
// the hold is over.
func bindsAt(s session.Session) identity.Proofing {
	if LetIn(s) {
		return min(s.Evidence.Own.Level, s.Evidence.Own.Password.Level)
	}
	return s.Trust.P
}

// mayBind returns the level at which the session may bind a factor, or [ErrStale] or
// [ErrHeld]. The session that people opened may, as it has nothing else.
func (r *Attempts) mayBind(ctx context.Context, s session.Session) (identity.Proofing, error) {
	if !LetIn(s) {
		return bindsAt(s), r.mayChange(ctx, s)
	}
	if !s.Fresh(freshEnough, r.now()) {
		return identity.P0, ErrStale
	}
	return bindsAt(s), nil
}

// letInAnew gives the session of a patient whom people let in and who has set a new
// password. It must be called in the act that set it.
func (r *Attempts) letInAnew(ctx context.Context, acc account.Account, record password.Record, trip Attempt, seat Seat) (Login, error) {
	acc, err := r.letBackIn(ctx, acc)
	if err != nil {
		return Login{}, err
	}
	at := r.now().UTC()
	own := r.standing(acc)
	own.Password = identity.Use{Level: record.Level, At: at, Held: acc.Held(at)}
	own.Possession, own.Means = identity.Use{At: at, Held: acc.Held(at)}, identity.MeansRecovery
	e := audit.Event{Actor: audit.Patient}
	login, err := r.seat(ctx, trip, acc, identity.Evidence{Own: own}, seat, &e)
	if err != nil {
		return Login{}, err
	}
	return login, r.ledger.Record(ctx, e)
}
