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
	At      time.Time // when it was
	Known   bool      // this browser logged in to this account before
	Card    bool      // a printed code is due: there is no phone, or the patient chose it
	Phone   bool      // there is a phone that a code can be sent to
	SentAt  time.Time // when a code was sent last; zero: the card is asked
}

// secondBody is what is sealed of a [SecondStep].
type secondBody struct {
	Trip    trip              `json:"trip"`
	Account string            `json:"account"`
	Epoch   int64             `json:"epoch"`
	Level   identity.Proofing `json:"level"`
	At      time.Time         `json:"at"`
	Known   bool              `json:"known,omitempty"`
	Card    bool              `json:"card,omitempty"`
	Phone   bool              `json:"phone,omitempty"`
	SentAt  time.Time         `json:"sent_at,omitzero"`
}

func (s SecondStep) body() secondBody {
	return secondBody{tripOf(s.Trip), s.Account, s.Epoch, s.Level, s.At, s.Known, s.Card, s.Phone, s.SentAt}
}

func (b secondBody) step(j Journey) SecondStep {
	return SecondStep{j, b.Trip.attempt(j.ID, j.Browser), b.Account, b.Epoch, b.Level, b.At, b.Known, b.Card, b.Phone, b.SentAt}
}

// Next returns the step that is due.
func (s SecondStep) Next() Step {
	step := Step{Kind: StepCode, Return: s.Trip.Return}
	if s.Card {
		step.Kind = StepCard
	}
	return step
}

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
		return Login{}, err
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

// look finds who would log in, and whether this browser did before. It asks the
// same of the database for every address.
func (r *Attempts) look(ctx context.Context, c Credentials, browser identity.Digest) (guess, error) {
	g := guess{lane: password.Anyone, key: "password:" + c.Email.Canonical()}
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
		Trip: a, Account: g.account.ID, Epoch: g.account.Epoch, Level: g.record.Level, At: now, Known: g.known,
	}
	if !c.Fresh {
		remembered, err := r.own.Factors.Remembers(ctx, g.account.ID, a.Browser)
		if err == nil {
			return r.finish(ctx, s, identity.Use{Level: remembered.Level, At: now}, identity.MeansBrowser, false, seat)
		}
		if !errors.Is(err, identity.ErrNotFound) {
			return Login{}, err
		}
	}
	phone, err := r.own.Factors.Phone(ctx, g.account.ID)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return Login{}, err
	}
	s.Phone = err == nil && !phone.Off
	card, err := r.own.Factors.Card(ctx, g.account.ID)
	if err != nil {
		return Login{}, err
	}
	s.Card = !s.Phone
	if !s.Phone && card.Left == 0 {
		return r.finish(ctx, s, identity.Use{}, "", false, seat)
	}
	if s.Journey, err = r.begin(ctx, LoggingIn, a.Browser, s.body()); err != nil {
		return Login{}, err
	}
	if s.Phone {
		if s, err = r.sendLoginCode(ctx, s, phone, g.account.Language); err != nil {
			return Login{}, err
		}
	}
	return Login{Step: s.Next()}, nil
}

func (r *Attempts) sendLoginCode(ctx context.Context, s SecondStep, p factor.Phone, language string) (SecondStep, error) {
	d := dispatch{bond: s.bond(p), kind: outbox.CodeLogin, language: language, flow: s.ID, last: s.SentAt, loggedIn: true}
	s.SentAt, s.Card = r.now().UTC(), false
	kept := s
	err := r.send(ctx, d, func(ctx context.Context) error {
		j, err := r.keep(ctx, s.Journey, s.body())
		kept.Journey = j
		return err
	})
	return kept, err
}

func (s SecondStep) bond(p factor.Phone) code.Bond {
	return code.Bond{Purpose: code.Login, Contact: p.Number.Contact(), Browser: s.Browser, Account: s.Account}
}

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
	if r.now().Sub(s.At) > secondLife || acc.Epoch != s.Epoch || acc.State != account.Active {
		return s, acc, identity.ErrNotFound
	}
	return s, acc, nil
}

// ResendLogin sends a new code to the phone, in the place of the one before. It is
// also the way back from the card to the phone.
func (r *Attempts) ResendLogin(ctx context.Context, browser identity.Secret) (SecondStep, error) {
	s, acc, err := r.second(ctx, browser)
	if err != nil {
		return s, err
	}
	phone, err := r.own.Factors.Phone(ctx, s.Account)
	if err != nil {
		return s, err
	}
	return r.sendLoginCode(ctx, s, phone, acc.Language)
}

// GiveLoginCode judges the texted code and gives the session. The errors are those
// of [code.Codes.Try], *[Locked] and [ErrFactorOff].
func (r *Attempts) GiveLoginCode(ctx context.Context, browser identity.Secret, typed string, remember bool, seat Seat) (Login, error) {
	s, acc, err := r.second(ctx, browser)
	if err != nil {
		return Login{}, err
	}
	phone, err := r.own.Factors.Phone(ctx, s.Account)
	if err != nil {
		return Login{}, err
	}
	key := "phone:" + acc.ID
	if err := r.pay(ctx, key, r.own.Sending.Rates().Code); err != nil {
		return Login{}, err
	}
	if err := r.own.Codes.Try(ctx, s.bond(phone), typed); err != nil {
		return Login{}, err
	}
	if err := r.own.Sending.Settle(ctx, key); err != nil {
		return Login{}, err
	}
	use := identity.Use{Level: phone.Level, At: r.now().UTC()}
	return r.finish(ctx, s, use, identity.MeansText, remember && !s.Trip.Shared, seat)
}

// GiveCardCode judges a code of the printed card and gives the session. A wrong one
// is [identity.ErrNotFound]; the others are as for [Attempts.GiveLoginCode].
func (r *Attempts) GiveCardCode(ctx context.Context, browser identity.Secret, typed identity.Secret, seat Seat) (Login, error) {
	s, acc, err := r.second(ctx, browser)
	if err != nil {
		return Login{}, err
	}
	key := "card:" + acc.ID
	if err := r.pay(ctx, key, r.own.Sending.Rates().Code); err != nil {
		return Login{}, err
	}
	card, err := r.own.Factors.SpendCard(ctx, s.Account, typed)
	if errors.Is(err, identity.ErrNotFound) {
		return Login{}, code.ErrWrong
	}
	if err != nil {
		return Login{}, err
	}
	if err := r.own.Sending.Settle(ctx, key); err != nil {
		return Login{}, err
	}
	return r.finish(ctx, s, identity.Use{Level: card.Level, At: r.now().UTC()}, identity.MeansCard, false, seat)
}

// finish gives the session of a login whose factors were all right, in one act.
func (r *Attempts) finish(ctx context.Context, s SecondStep, use identity.Use, means identity.Means, remember bool, seat Seat) (Login, error) {
	var login Login
	e := &audit.Event{Actor: audit.Patient}
	err := r.ledger.Act(ctx, e, func(ctx context.Context) error {
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
		link, _ := acc.Own()
		own := identity.Own{Level: link.Level, Basis: link.Basis, Password: identity.Use{Level: s.Level, At: s.At}, Possession: use, Means: means}
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
	link, _ := acc.Own()
	return r.tell(ctx, link.Details.Email.Contact(), acc.Language, outbox.NewDevice, nil)
}
