package service_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dilys-id/dilys/cmd/internal/service"
	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
	"github.com/dilys-id/dilys/identity/audit"
	"github.com/dilys-id/dilys/identity/factor"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/store"
)

// explained is what the help desk reads of a page that a patient calls about.
func (w *town) explained(p page) string {
	w.t.Helper()
	reference := shownReference.FindString(p.body)
	if reference == "" {
		w.t.Fatalf("the page shows no reference: %d %.300s", p.StatusCode, p.body)
	}
	events, err := w.DB.Audit().FindByReference(w.t.Context(), reference)
	must(w.t, err)
	var all strings.Builder
	for _, e := range events {
		all.WriteString(audit.Explain(e, service.Explanations))
	}
	return all.String()
}

// again repeats what is to be too often, and returns the last answer.
func again(times int, ask func() page) (last page) {
	for range times {
		last = ask()
	}
	return last
}

// done is the last page of a sign-up that goes without a card.
func (w *town) done(a applicant) page {
	b := w.signUp(a)
	b.post("/account/second-way", url.Values{"risk": {"yes"}})
	return b.get("/sign-up/done")
}

// atActivation is a patient at the page of a code on paper, and how she gives one.
func (w *town) atActivation(a applicant) func(code string) page {
	b := w.signUp(a)
	return func(code string) page { return b.post("/account/activation", url.Values{"activation_code": {code}}) }
}

// Whatever a patient who signed up here is refused, the reference on the page tells
// the help desk the step, the rule and the class of field, and no value.
func TestAReferenceTellsStepRuleAndClass(t *testing.T) {
	other := gwen()
	other.email, other.phone, other.day = "arall@example.com", "07700900777", "18"
	for name, row := range map[string]struct {
		refuse            func(w *town, a applicant) page
		step, why, fields string
		account           bool // whose it was is told
	}{
		"could not confirm: the birth date": {
			refuse: func(w *town, a applicant) page {
				a.day = "18"
				return w.done(a)
			},
			step: "at the end of signing up", why: "(details-differ)", fields: "birthdate", account: true,
		},
		"could not confirm: no contact": {
			refuse: func(w *town, a applicant) page {
				a.phone = "07700900999"
				return w.done(a)
			},
			step: "at the end of signing up", why: "(no-contact-alone)", fields: "contact", account: true,
		},
		"could not confirm: the number": {
			refuse: func(w *town, a applicant) page {
				a.number = "999 100 0070"
				return w.done(a)
			},
			step: "at the end of signing up", why: "(not-in-register)", fields: "nhs_number", account: true,
		},
		"could not confirm: the contact is another account's": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				a.email = "arall@example.com"
				return w.done(a)
			},
			step: "at the end of signing up", why: "(no-contact-alone)", fields: "contact", account: true,
		},
		"could not confirm: too many tries at one entry": {
			refuse: func(w *town, a applicant) page {
				a.day = "18"
				for _, email := range []string{"one@example.com", "two@example.com", "three@example.com", "four@example.com", "five@example.com"} {
					w.clock.advance(61 * time.Minute)
					a.email, a.phone = email, "0770090030"+string('0'+email[1]%10)
					w.signUp(a)
				}
				w.clock.advance(61 * time.Minute)
				a.email = "six@example.com"
				return w.done(a)
			},
			step: "at the end of signing up", why: "(limit-lookups-24h)", account: true,
		},
		"the password is locked": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				b := w.browser()
				return again(11, func() page { return b.enter(a.email, "not the password") })
			},
			step: "logging in, address and password (POST /login/email)", why: "(password-guesses)", fields: "password", account: true,
		},
		"the password of nobody is locked": {
			refuse: func(w *town, _ applicant) page {
				b := w.browser()
				return again(11, func() page { return b.enter("nobody@example.com", "not the password") })
			},
			step: "logging in, address and password (POST /login/email)", why: "(password-guesses)", fields: "password",
		},
		"too many wrong codes at log-in": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				b := w.halfway(a)
				return again(11, func() page { return b.post("/login/email/code", url.Values{"code": {"000000"}}) })
			},
			step: "logging in, the code that was sent (POST /login/email/code)", why: "(code-guesses)", fields: "phone", account: true,
		},
		"every factor is off": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				phone, err := w.Factors.Phone(w.t.Context(), w.accountOf(a.email).ID)
				must(w.t, err)
				must(w.t, w.Factors.SwitchPhoneOff(w.t.Context(), phone))
				return w.browser().enter(a.email, a.password)
			},
			step: "logging in, address and password", why: "(factor-off)", account: true,
		},
		"disabled": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				must(w.t, w.Accounts.Disable(w.t.Context(), w.accountOf(a.email).ID, "operator:one", "asked for"))
				return w.browser().enter(a.email, a.password)
			},
			step: "logging in, address and password", why: "(account-disabled)", account: true,
		},
		"a login that waited too long for its code": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				b := w.halfway(a)
				w.clock.advance(16 * time.Minute)
				return b.post("/login/email/code", url.Values{"code": {"000000"}})
			},
			step: "logging in, the code that was sent", why: "(second-factor-unknown)",
		},
		"a code on paper that is none": {
			refuse: func(w *town, a applicant) page { return w.atActivation(a)("AAAA-CCCC-DDDD-EE") },
			step:   "the account, a code on paper from staff (POST /account/activation)", why: "(handed-unknown)", fields: "activation_code", account: true,
		},
		"a code on paper that was used": {
			refuse: func(w *town, a applicant) page {
				code, give := w.handed("9991000003"), w.atActivation(a)
				give(code)
				return give(code)
			},
			step: "a code on paper from staff", why: "(handed-used)", fields: "activation_code", account: true,
		},
		"a code on paper that is over": {
			refuse: func(w *town, a applicant) page {
				code := w.handed("9991000003")
				w.clock.advance(factor.HandedFor + time.Minute)
				return w.atActivation(a)(code)
			},
			step: "a code on paper from staff", why: "(handed-expired)", fields: "activation_code", account: true,
		},
		"a code on paper of somebody else": {
			refuse: func(w *town, _ applicant) page { return w.atActivation(other)(w.handed("9991000003")) },
			step:   "a code on paper from staff", why: "(handed-to-another)", fields: "birthdate", account: true,
		},
		"a code on paper for a number that another account proved": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				a.email, a.phone = other.email, other.phone
				return w.atActivation(a)(w.handed("9991000003"))
			},
			step: "a code on paper from staff", why: "(number-proved-by-another)", fields: "nhs_number", account: true,
		},
		"too many codes on paper": {
			refuse: func(w *town, a applicant) page {
				give := w.atActivation(a)
				return again(11, func() page { return give("AAAA-CCCC-DDDD-EE") })
			},
			step: "a code on paper from staff", why: "(code-guesses)", fields: "activation_code", account: true,
		},
		"a code of the help desk's that is none": {
			refuse: func(w *town, a applicant) page {
				b, id := w.stranded(a)
				w.recoveryCode(id)
				return b.letIn("AAAA-CCCC-DDDD-EE")
			},
			step: "logging in, a code of the help desk's (POST /login/email/let-in)", why: "(recovery-code-wrong)", fields: "recovery_code", account: true,
		},
		"a code of the help desk's that is old, at a forgotten password": {
			refuse: func(w *town, a applicant) page {
				_, id := w.stranded(a)
				code := w.recoveryCode(id)
				w.clock.advance(factor.RecoveryLife)
				return w.resetting(a).post("/recover/let-in", url.Values{"recovery_code": {code}})
			},
			step: "a forgotten password, a code of the help desk's", why: "(recovery-code-expired)", fields: "recovery_code", account: true,
		},
		"too many wrong codes at a forgotten password": {
			refuse: func(w *town, a applicant) page {
				w.signUp(a)
				w.clock.advance(time.Hour)
				b := w.resetting(a)
				return again(11, func() page { return b.post("/recover/factor", url.Values{"code": {"000000"}}) })
			},
			step: "a forgotten password, the second factor", why: "(code-guesses)", fields: "phone", account: true,
		},
		"a mailed link that is over": {
			refuse: func(w *town, _ applicant) page { return w.browser().get("/recover/no-such-token") },
			step:   "a forgotten password, the mailed link (GET /recover/{token})", why: "(link-over)",
		},
		"a sign-up that nobody began": {
			refuse: func(w *town, _ applicant) page {
				b := w.browser()
				b.plant("dilys-browser", strings.Repeat("x", 43))
				return b.post("/sign-up/phone", url.Values{"phone": {"07700900201"}})
			},
			step: "signing up, the phone (POST /sign-up/phone)", why: "(sign-up-unknown)",
		},
		"an address that was typed, with a number in it": {
			refuse: func(w *town, _ applicant) page {
				b := w.browser()
				b.plant("dilys-browser", strings.Repeat("x", 43))
				return b.get("/sign-up/9991000003")
			},
			step: "signing up, the beginning (GET /sign-up/{page})", why: "(sign-up-unknown)",
		},
		"a record that is frozen": {
			refuse: func(w *town, a applicant) page {
				b := w.signUp(a)
				b.post("/account/not-my-number", url.Values{})
				return b.post("/account/activation", url.Values{"activation_code": {w.handed("9991000003")}})
			},
			step: "a code on paper from staff", why: "(record-frozen)", account: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := newTown(t, withPortal(handingIn)), gwen()
			told := w.explained(row.refuse(w, a))
			for _, want := range []string{row.step, row.why} {
				if !strings.Contains(told, want) {
					t.Errorf("wanted %q in\n%s", want, told)
				}
			}
			if has := strings.Contains(told, "\nfields "); has != (row.fields != "") || has && !strings.Contains(told, "\nfields     "+row.fields+"\n") {
				t.Errorf("wanted the fields %q in\n%s", row.fields, told)
			}
			if strings.Contains(told, "\naccount ") != row.account {
				t.Errorf("wanted the account told: %v, in\n%s", row.account, told)
			}
			const screen = 24
			if lines := strings.Count(told, "\n"); lines > screen {
				t.Errorf("wanted one screen, got %d lines:\n%s", lines, told)
			}
			for _, value := range []string{a.email, "900201", "9991000003", "Arwydd", "1985", other.email} {
				if strings.Contains(told, value) {
					t.Errorf("a value is told: %s", value)
				}
			}
		})
	}
}

// The register does not answer: the page says so, and so does its reference.
func TestAReferenceTellsThatTheRegisterIsDown(t *testing.T) {
	w := newTownWithoutRegister(t)
	if told := w.explained(w.done(gwen())); !strings.Contains(told, "the register did not answer (register-unavailable)") {
		t.Errorf("got\n%s", told)
	}
}

// Nobody can sign up where that is closed, or while no mail can be sent.
func TestAReferenceTellsWhyNobodySignsUp(t *testing.T) {
	w := newWorld(t)
	closed := (&town{world: w}).explained(w.browser().get("/sign-up"))
	if !strings.Contains(closed, "(sign-up-closed)") || !strings.Contains(closed, "signing up, the beginning (GET /sign-up)") {
		t.Errorf("got\n%s", closed)
	}
	open := newTown(t)
	until := open.clock.Now().Add(time.Hour)
	must(t, open.DB.Outbox().Stand(t.Context(), identity.ByEmail, outbox.Standing{}, outbox.Standing{Since: open.clock.Now(), Until: until}))
	off := open.explained(open.browser().post("/sign-up", url.Values{"old_enough": {"yes"}}))
	if !strings.Contains(off, "(channel-off)") || !strings.Contains(off, "signing up, the beginning (POST /sign-up)") {
		t.Errorf("got\n%s", off)
	}
}

// Linkage details have a rule of their own, and it is told as theirs.
func TestAReferenceTellsOfTheLetter(t *testing.T) {
	w, a := newTown(t), gwen()
	w.says(gwensRow(t, func(r *store.RegisterRow) { r.GPAccountID, r.GPLinkageKey = "7041776", "key" }))
	a.phone = "07700900999"
	b := w.signUp(a)
	give := func() page {
		return b.post("/account/linkage", url.Values{"gp_account_id": {"7041776"}, "gp_linkage_key": {"guess"}})
	}
	if told := w.explained(give()); !strings.Contains(told, "(linkage-refused)") || !strings.Contains(told, "\nfields     linkage\n") {
		t.Errorf("got\n%s", told)
	}
	last := again(6, give)
	if told := w.explained(last); last.StatusCode != http.StatusTooManyRequests || !strings.Contains(told, "(lookups-spent)") || !strings.Contains(told, "\nfields     linkage\n") {
		t.Errorf("got\n%s", told)
	}
}

// What is locked is seen by the help desk under the very counters that the doors pay
// at, and looking at them locks nothing.
func TestLocksAreSeenAndNotMade(t *testing.T) {
	for name, row := range map[string]struct {
		lock func(w *town, a applicant)
		want []string
	}{
		"nothing": {func(*town, applicant) {}, nil},
		"the password, by a stranger": {func(w *town, a applicant) {
			b := w.browser()
			again(11, func() page { return b.enter(a.email, "not the password") })
		}, []string{"password"}},
		"the password, in the browser of its patient": {func(w *town, a applicant) {
			known := w.logsIn(a.email, a.password, a.e164())
			again(11, func() page { return known.enter(a.email, "not the password") })
		}, []string{"password there"}},
		"texted codes": {func(w *town, a applicant) {
			b := w.halfway(a)
			again(11, func() page { return b.post("/login/email/code", url.Values{"code": {"000000"}}) })
		}, []string{"phone"}},
		"codes on paper": {func(w *town, a applicant) {
			b := w.logsIn(a.email, a.password, a.e164())
			again(11, func() page {
				return b.post("/account/activation", url.Values{"activation_code": {"AAAA-CCCC-DDDD-EE"}})
			})
		}, []string{"activation_code"}},
		"codes of the help desk's": {func(w *town, a applicant) {
			b := w.halfway(a)
			again(11, func() page { return b.letIn("AAAA-CCCC-DDDD-EE") })
		}, []string{"recovery"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, a := newTown(t), gwen()
			w.signUp(a)
			w.clock.advance(time.Hour)
			row.lock(w, a)
			acc := w.accountOf(a.email)
			known, err := w.Factors.List(t.Context(), acc.ID)
			must(t, err)
			var got []string
			for range 30 {
				locks, err := attempt.Locks(t.Context(), w.Limits, acc, known)
				must(t, err)
				got = nil
				for _, l := range locks {
					what := l.What
					if l.Known {
						what += " there"
					}
					if l.Until.Before(w.clock.Now()) {
						t.Errorf("%s: wanted to know until when, got %s", what, l.Until)
					}
					got = append(got, what)
				}
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("wanted %q, got %q", row.want, got)
			}
			w.clock.advance(25 * time.Hour)
			if locks, err := attempt.Locks(t.Context(), w.Limits, acc, known); err != nil || len(locks) > 0 {
				t.Errorf("wanted nothing locked a day later, got %v, %v", locks, err)
			}
		})
	}
}
