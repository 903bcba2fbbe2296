package attempt

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/limit"
)

// verdict is what the register let us say of a patient.
type verdict struct {
	Level  identity.Proofing
	Basis  identity.Basis
	Entry  identity.Entry
	Failed []string // the classes of fields that failed
	Cause  string   // why no more could be said; empty: it could
}

// CauseRegisterDown says that nothing could be confirmed because the register did
// not answer.
const CauseRegisterDown = "register-unavailable"

// facts is what was learned of a sign-up from the register, before it is judged.
type facts struct {
	found   bool
	entry   identity.Entry
	differs []string
	sole    bool // a proved contact stands on this living adult's entry alone, and is no other account's
}

// judge decides how sure the facts make us. It is pure. Knowing a name, a birth
// date and a number proves nothing: without a contact that is this patient's alone,
// the level stays P0.
func judge(f facts, rules Rules) verdict {
	v := verdict{Level: identity.P0, Basis: identity.BasisContacts}
	switch {
	case !f.found:
		v.Cause, v.Failed = "not-in-register", []string{"nhs_number"}
	case len(f.differs) > 0:
		v.Cause, v.Failed = "details-differ", f.differs
	case f.entry.Standing != identity.Living:
		v.Cause, v.Failed = "entry-"+string(f.entry.Standing), []string{"standing"}
	case f.entry.Protected:
		v.Cause, v.Failed = "entry-protected", []string{"standing"}
	case len(rules.Practices) > 0 && !slices.Contains(rules.Practices, f.entry.Practice):
		v.Cause, v.Failed = "practice-not-admitted", []string{"practice"}
	case !f.sole:
		v.Cause, v.Failed = "no-contact-alone", []string{"contact"}
	default:
		v.Level, v.Basis, v.Entry = identity.P5, identity.BasisRegister, f.entry
	}
	return v
}

// prove asks the register about a sign-up. Attempts by typed details are counted
// by the entry they are made on as well as by the browser: who tries birth dates on
// somebody's number is stopped, whatever they come from.
func (r *Attempts) prove(ctx context.Context, s SignUp) (verdict, error) {
	none := verdict{Level: identity.P0, Basis: identity.BasisContacts, Cause: "no-register"}
	if r.own.Register == nil {
		return none, nil
	}
	err := r.own.Sending.Take(ctx, r.own.Sending.Rates().Looking(lookupKey(s), s.ID)...)
	var exceeded *limit.Exceeded
	if errors.As(err, &exceeded) {
		none.Cause = "limit-" + exceeded.Rule
		return none, nil
	}
	if err != nil {
		return none, err
	}
	f, err := r.learn(ctx, s)
	if errors.Is(err, identity.ErrUnavailable) {
		none.Cause = CauseRegisterDown
		return none, nil
	}
	if err != nil {
		return none, fmt.Errorf("ask the register: %w", err)
	}
	return judge(f, r.own.Rules), nil
}

// lookupKey names the entry that the typed details mean.
func lookupKey(s SignUp) string {
	if s.NumberUnknown {
		return "search:" + s.Details.FamilyName.Reveal() + "\x00" + s.Details.BirthDate.Reveal() + "\x00" + s.Postcode.Reveal()
	}
	return "number:" + s.Details.NHSNumber.Reveal()
}

func (r *Attempts) learn(ctx context.Context, s SignUp) (facts, error) {
	entry, err := r.entry(ctx, s)
	if errors.Is(err, identity.ErrNotFound) {
		return facts{}, nil
	}
	if err != nil {
		return facts{}, err
	}
	f := facts{found: true, entry: entry}
	claimed := s.Details
	claimed.NHSNumber = entry.NHSNumber // superseded, or found by the postcode
	f.differs = identity.Match(claimed, entry)
	f.sole, err = r.sole(ctx, entry, s.Details)
	return f, err
}

func (r *Attempts) entry(ctx context.Context, s SignUp) (identity.Entry, error) {
	if s.NumberUnknown {
		return r.own.Register.Search(ctx, s.Details, s.Postcode)
	}
	return r.own.Register.Entry(ctx, s.Details.NHSNumber)
}

// sole reports whether one of the proved contacts stands on the entry, on no other
// living adult's, and is no other account's.
func (r *Attempts) sole(ctx context.Context, entry identity.Entry, d identity.Details) (bool, error) {
	now := r.now()
	for _, c := range proved(d) {
		if !entry.Holds(c) || !entry.LivingAdult(now) {
			continue
		}
		count, known, err := r.own.Register.Holders(ctx, c, now)
		if err != nil {
			return false, err
		}
		if known && count != 1 || !known && !r.own.Rules.ContactProof {
			continue
		}
		elsewhere, err := r.accounts.Elsewhere(ctx, "", c)
		if err != nil {
			return false, err
		}
		if !elsewhere {
			return true, nil
		}
	}
	return false, nil
}

// proved returns the contacts that a code came back from.
func proved(d identity.Details) []identity.Contact {
	var all []identity.Contact
	if d.EmailVerified {
		all = append(all, d.Email.Contact())
	}
	if d.PhoneVerified {
		all = append(all, d.Phone.Contact())
	}
	return all
}
