package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/code"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/limit"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/identity/password"
)

// Credentials are what a patient types to log in.
type Credentials struct {
	Email    identity.Email
	Password identity.Secret
	Fresh    bool // a remembered browser is not enough: the one who waits wants the patient's own act
}

// Refusals of a login by password.
var (
	// ErrCredentials says that the address or the password is wrong, and never
	// which.
	ErrCredentials = errors.New("wrong address or password")
	// ErrFactorOff says that too many codes in a row were wrong: the factor opens
	// nothing until its patient recovers.
	ErrFactorOff = errors.New("the factor is off")
)

// Locked says that too many guesses were wrong, and when another may be made.
type Locked struct{ Until time.Time }

// Error says that it is locked.
func (l *Locked) Error() string { return "too many wrong guesses" }

// SecondStep is a login whose password was right: the second factor is due. It
// opens nothing.
type SecondStep struct {
	Journey
	Trip    Attempt
	Account string
	Epoch   int64 // of the account when the password was right
	Level   identity.Proofing
	Set     time.Time // when the password was set
	At      time.Time // when it was right
	Known   bool      // this browser logged in to this account before
	Ways    Ways      // in which it can be proved
	Way     Way       // the one that is due
	SentAt  time.Time // when a code was sent last; zero: none was
}

// secondBody is what is sealed of a [SecondStep].
type secondBody struct {
	Trip    trip              `json:"trip"`
	Account string            `json:"account"`
	Epoch   int64             `json:"epoch"`
	Level   identity.Proofing `json:"level"`
	Set     time.Time         `json:"set,omitzero"`
	At      time.Time         `json:"at"`
	Known   bool              `json:"known,omitempty"`
	Ways    Ways              `json:"ways"`
	Way     Way               `json:"way"`
	SentAt  time.Time         `json:"sent_at,omitzero"`
}

func (s SecondStep) body() secondBody {
	return secondBody{tripOf(s.Trip), s.Account, s.Epoch, s.Level, s.Set, s.At, s.Known, s.Ways, s.Way, s.SentAt}
}

func (b secondBody) step(j Journey) SecondStep {
	return SecondStep{j, b.Trip.attempt(j.ID, j.Browser), b.Account, b.Epoch, b.Level, b.Set, b.At, b.Known, b.Ways, b.Way, b.SentAt}
}

// Next returns the step that is due.
func (s SecondStep) Next() Step {
	return Step{Kind: wayStep[s.Way], Return: s.Trip.Return}
}

// wayStep says by which step each way is asked for.
var wayStep = map[Way]StepKind{WayApp: StepApp, WayPhone: StepCode, WayCard: StepCard, WayEmail: StepCode}

// secondLife is how long a right password waits for its code.
const secondLife = 15 * time.Minute

// guess is one try of a password, with all that is known before it is judged.
type guess struct {
	account account.Account // zero: nobody logs in with that address
	record  password.Record
	known   bool
	lane    password.Lane
	key     string // under which guesses are counted
}

// LogIn judges an address and a password typed in that browser (a.Browser) and
// seat. Right ones lead to the second factor, or give a session where the browser
// is remembered or the account has no second factor. It returns [ErrCredentials],
// *[Locked], [identity.ErrDisabled], or [password.ErrBusy]. An unknown address
// costs the same work as a wrong password, and says the same.
func (r *Attempts) LogIn(ctx context.Context, c Credentials, a Attempt, seat Seat) (Login, error) {
	g, err := r.look(ctx, c, a.Browser)
	if err != nil {
		return Login{}, err
	}
	if err := r.pay(ctx, g.key, r.own.Sending.Rates().Password); err != nil {
		return Login{}, errors.Join(err, r.tellLocked(ctx, c.Email, g.account, err))
	}
	right, fresh, err := r.own.Passwords.Check(ctx, g.record, c.Password, g.lane)
	if err != nil {
		return Login{}, err
	}
	if !right {
		return Login{}, ErrCredentials
	}
	if g.account.State != account.Active {
		return Login{}, identity.ErrDisabled
	}
	if err := r.settle(ctx, g, fresh); err != nil {
		return Login{}, err
	}
	return r.afterPassword(ctx, c, a, seat, g)
}

// lockTold is how often the owner of an account is told that guesses locked it: whoever
// locks it again and again sends no more mail by it.
var lockTold = limit.Rule{Name: "lock-told", N: 1, Per: 2 * time.Hour}

// tellLocked tells the owner of the account that its password is locked. The count is
// kept for every address, so that a lock is no slower where there is an account.
func (r *Attempts) tellLocked(ctx context.Context, e identity.Email, acc account.Account, why error) error {
	if locked := (*Locked)(nil); !errors.As(why, &locked) {
		return nil
	}
	err := r.own.Sending.Take(ctx, limit.Bucket{Key: "lock-told:" + e.Canonical(), Rules: []limit.Rule{lockTold}})
	if exceeded := (*limit.Exceeded)(nil); errors.As(err, &exceeded) {
		return nil
	}
	if err != nil || acc.State != account.Active {
		return err
	}
	return r.ledger.Within(ctx, func(ctx context.Context) error {
		return r.tellMail(ctx, acc, outbox.Locked)
	})
}

// look finds who would log in, and whether this browser did before. It asks the
// same of the database for every address.
func (r *Attempts) look(ctx context.Context, c Credentials, browser identity.Digest) (guess, error) {
	g := guess{lane: password.Anyone, key: passwordKey(c.Email)}
	acc, err := r.accounts.ByOwnEmail(ctx, c.Email)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return g, err
	}
	g.account = acc
	if g.record, err = r.own.Passwords.Of(ctx, acc.ID); err != nil && !errors.Is(err, identity.ErrNotFound) {
		return g, err
	}
	known, err := r.own.Factors.Known(ctx, acc.ID, browser)
	switch {
	case err == nil:
		// Its own counter: whoever guesses elsewhere does not lock the patient out.
		g.known, g.lane, g.key = true, password.Known, g.key+":"+known.ID
	case !errors.Is(err, identity.ErrNotFound):
		return g, err
	}
	return g, nil
}

// pay pays for a guess before it is judged.
func (r *Attempts) pay(ctx context.Context, key string, p limit.Policy) error {
	err := r.own.Sending.Pay(ctx, key, p)
	var exceeded *limit.Exceeded
	switch {
	case errors.As(err, &exceeded):
		return &Locked{exceeded.Until}
	case errors.Is(err, limit.ErrEnded):
		return ErrFactorOff
	}
	return err
}

// settle forgets the guesses, and keeps a password that was hashed anew.
func (r *Attempts) settle(ctx context.Context, g guess, fresh *password.Record) error {
	if fresh != nil {
		if err := r.own.Passwords.Renew(ctx, g.account.ID, *fresh); err != nil {
			return err
		}
	}
	return r.own.Sending.Settle(ctx, g.key)
}

// afterPassword chooses the second factor.
func (r *Attempts) afterPassword(ctx context.Context, c Credentials, a Attempt, seat Seat, g guess) (Login, error) {
	now := r.now().UTC()
	s := SecondStep{
		Trip: a, Account: g.account.ID, Epoch: g.account.Epoch, Level: g.record.Level, Set: g.record.Set, At: now, Known: g.known,
	}
	if !c.Fresh {
		remembered, err := r.own.Factors.Remembers(ctx, g.account.ID, a.Browser)
		if err == nil {
			return r.finish(ctx, s, proof{factor: remembered.Factor(), means: identity.MeansBrowser}, false, seat)
		}
		if !errors.Is(err, identity.ErrNotFound) {
			return Login{}, err
		}
	}
	f, err := r.Factors(ctx, g.account.ID)
	if err != nil {
		return Login{}, err
	}
	s.Ways = f.Ways()
	switch {
	case f.Stopped():
		return Login{}, ErrFactorOff
	case len(s.Ways) == 0 && r.own.Rules.EmailCodes:
		s.Ways = Ways{WayEmail}
	case len(s.Ways) == 0:
		return r.finish(ctx, s, proof{}, false, seat)
	}
	s.Way = s.Ways.first()
	if s.Journey, err = r.begin(ctx, LoggingIn, a.Browser, s.body()); err != nil {
		return Login{}, err
	}
	if s.Way == WayPhone || s.Way == WayEmail {
		if s, err = r.sendLoginCode(ctx, s, s.Way, g.account.Language); err != nil {
			return Login{}, err
		}
	}
	return Login{Step: s.Next()}, nil
}

// codeKinds says in which message a code that logs in goes out.
var codeKinds = map[Way]outbox.Kind{WayPhone: outbox.CodeLogin, WayEmail: outbox.CodeLoginEmail}

func (r *Attempts) sendLoginCode(ctx context.Context, s SecondStep, way Way, language string) (SecondStep, error) {
	bond, _, err := r.bond(ctx, s.ask(), way)
	if err != nil {
		return s, err
	}
	d := dispatch{bond: bond, kind: codeKinds[way], language: language, flow: s.ID, last: s.SentAt, loggedIn: true}
	s.SentAt, s.Way = r.now().UTC(), way
	kept := s
	err = r.send(ctx, d, func(ctx context.Context) error {
		j, err := r.keep(ctx, s.Journey, s.body())
		kept.Journey = j
		return err
	})
	return kept, err
}

// ask is what the patient is asked for.
func (s SecondStep) ask() ask { return ask{s.Account, s.Browser, code.Login} }

// Second returns the login of that browser whose second factor is due, or
// [identity.ErrNotFound]: also when the account has changed since.
func (r *Attempts) Second(ctx context.Context, browser identity.Secret) (SecondStep, error) {
	s, _, err := r.second(ctx, browser)
	return s, err
}

func (r *Attempts) second(ctx context.Context, browser identity.Secret) (SecondStep, account.Account, error) {
	var body secondBody
	j, err := r.resume(ctx, LoggingIn, browser, &body)
	if err != nil {
		return SecondStep{}, account.Account{}, err
	}
	s := body.step(j)
	acc, err := r.accounts.Account(ctx, s.Account)
	if err != nil {
		return s, acc, err
	}
	if s.Way == "" || r.now().Sub(s.At) > secondLife || acc.Epoch != s.Epoch || acc.State != account.Active {
		return s, acc, identity.ErrNotFound
	}
	return s, acc, nil
}

// ResendLogin sends a new code to the phone or, where that is the way, the address,
// in the place of the one before. It is also the way from app and card to the phone.
func (r *Attempts) ResendLogin(ctx context.Context, browser identity.Secret) (SecondStep, error) {
	s, acc, err := r.second(ctx, browser)
	if err != nil {
		return s, err
	}
	for _, way := range []Way{WayPhone, WayEmail} {
		if s.Ways.Has(way) {
			return r.sendLoginCode(ctx, s, way, acc.Language)
		}
	}
	return s, identity.ErrNotFound
}

// GiveSecond judges what was typed as the second factor of that way, and gives the
// session. With remember, the browser stands in for a code from then on, but never
// on somebody else's device, for a code that is to be crossed out, nor for one by
// e-mail, which is no second factor that anything could stand in for. The errors are
// those of [code.Codes.Try], *[Locked] and [ErrFactorOff].
func (r *Attempts) GiveSecond(ctx context.Context, browser identity.Secret, way Way, typed identity.Secret, remember bool, seat Seat) (Login, error) {
	s, _, err := r.second(ctx, browser)
	if err != nil {
		return Login{}, err
	}
	proved, err := r.proveWay(ctx, s.ask(), way, typed)
	if err != nil {
		return Login{}, err
	}
	return r.finish(ctx, s, proved, remember && s.Remembers(way), seat)
}

// Remembers reports whether the browser may be remembered once that way was proved.
func (s SecondStep) Remembers(way Way) bool {
	return !s.Trip.Shared && (way == WayApp || way == WayPhone)
}

// finish gives the session of a login whose factors were all right, in one act.
func (r *Attempts) finish(ctx context.Context, s SecondStep, proved proof, remember bool, seat Seat) (Login, error) {
	var login Login
	at := r.now().UTC()
	reading, err := r.readAgain(ctx, s.Account)
	if err != nil {
		return Login{}, err
	}
	e := &audit.Event{Actor: audit.Patient}
	err = r.ledger.Act(ctx, e, func(ctx context.Context) error {
		acc, err := r.accounts.Account(ctx, s.Account)
		if err != nil {
			return err
		}
		if acc.State != account.Active {
			return identity.ErrDisabled
		}
		if acc.Epoch != s.Epoch { // a reset, a log-out everywhere: the password was that of before
			return ErrCredentials
		}
		if acc, err = r.accounts.Remember(ctx, acc, s.Trip.Language); err != nil {
			return err
		}
		if reading != nil {
			if acc, err = r.accounts.Read(ctx, acc, *reading); err != nil {
				return err
			}
		}
		if proved.means == identity.MeansRecovery {
			if acc, err = r.letBackIn(ctx, acc); err != nil {
				return err
			}
		}
		own := r.standing(acc)
		if proved.key != nil {
			if own.Passkey, err = r.useKey(ctx, *proved.key, acc, at); err != nil {
				return err
			}
		} else {
			own.Password = identity.Use{Level: s.Level, At: s.At, Held: acc.Held(s.Set)}
			own.Possession, own.Means = proved.use(acc, at), proved.means
		}
		if login, err = r.seat(ctx, s.Trip, acc, identity.Evidence{Own: own}, seat, e); err != nil {
			return err
		}
		if err := r.rememberBrowser(ctx, s, acc, seat, login, remember); err != nil {
			return err
		}
		if s.ID == "" {
			return nil
		}
		return r.journeys.EndJourney(ctx, s.ID)
	})
	if err != nil {
		return Login{}, err
	}
	return login, nil
}

// rememberBrowser keeps that a login was finished in this browser, and tells the
// patient of one that was not seen before.
func (r *Attempts) rememberBrowser(ctx context.Context, s SecondStep, acc account.Account, seat Seat, login Login, remember bool) error {
	if err := r.own.Factors.Rebind(ctx, s.Trip.Browser, seat.Browser); err != nil {
		return err
	}
	if err := r.own.Factors.CountLogin(ctx, acc.ID); err != nil {
		return err
	}
	if s.Trip.Shared {
		return r.tellOfDevice(ctx, acc, s)
	}
	now := r.now().UTC()
	b := factor.Browser{
		Account: acc.ID, Browser: seat.Browser, Device: seat.Device, Level: login.Session.Trust.P, Epoch: acc.Epoch,
	}
	if remember {
		b.Remembered = now.Add(factor.RememberedFor)
	}
	if err := r.own.Factors.Saw(ctx, b); err != nil {
		return err
	}
	return r.tellOfDevice(ctx, acc, s)
}

func (r *Attempts) tellOfDevice(ctx context.Context, acc account.Account, s SecondStep) error {
	if s.Known {
		return nil
	}
	return r.tellMail(ctx, acc, outbox.NewDevice)
}
