package service_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/account"
)

// How many answers of each sort a round compares, and how surely they must differ: a
// score that chance reaches once in 20,000 rounds. Three rounds in a row must say so.
const (
	timedAnswers = 100
	timedScore   = 4.1
	timedRounds  = 3
)

// rankScore is how many standard deviations the ranks of the one sample lie from what
// chance would give them among the other's (Mann and Whitney's test, with the correction
// for ties). It asks nothing of how times are spread, and a few slow answers move it
// little.
func rankScore(a, b []time.Duration) float64 {
	type timed struct {
		took time.Duration
		of   int
	}
	all := make([]timed, 0, len(a)+len(b))
	for _, t := range a {
		all = append(all, timed{t, 0})
	}
	for _, t := range b {
		all = append(all, timed{t, 1})
	}
	slices.SortFunc(all, func(x, y timed) int { return int(x.took - y.took) })
	n, ranks, ties := float64(len(all)), 0.0, 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].took == all[i].took {
			j++
		}
		same := float64(j - i)
		ties += same*same*same - same
		for k := i; k < j; k++ {
			if all[k].of == 0 {
				ranks += float64(i+j+1) / 2 // the mean of the ranks i+1 to j
			}
		}
		i = j
	}
	na, nb := float64(len(a)), float64(len(b))
	u := ranks - na*(na+1)/2
	spread := math.Sqrt(na * nb / 12 * (n + 1 - ties/(n*(n-1))))
	if spread == 0 {
		return 0
	}
	return (u - na*nb/2) / spread
}

// tellApart reports whether the two can be told apart by how long they take, in each of
// the rounds. They are asked in turn, in an order that nobody knows.
func tellApart(answers int, known, unknown func(i int)) (score float64, apart bool) {
	took := func(ask func(int), i int) time.Duration {
		began := time.Now()
		ask(i)
		return time.Since(began)
	}
	for round := range timedRounds {
		a, b := make([]time.Duration, answers), make([]time.Duration, answers)
		var coin [1]byte
		for i := range answers {
			at := round*answers + i
			if _, _ = rand.Read(coin[:]); coin[0]&1 == 0 {
				a[i], b[i] = took(known, at), took(unknown, at)
			} else {
				b[i], a[i] = took(unknown, at), took(known, at)
			}
		}
		if score = rankScore(a, b); math.Abs(score) < timedScore {
			return score, false
		}
	}
	return score, true
}

// The judge itself: it hears two milliseconds between answers as noisy as ours, on a
// machine that is busy too, and nothing where there is nothing.
func TestTheJudgeOfTimes(t *testing.T) {
	noise := func(int) {
		var b [1]byte
		_, _ = rand.Read(b[:])
		time.Sleep(time.Duration(b[0]) * 4 * time.Microsecond)
	}
	leak := func(i int) { noise(i); time.Sleep(2 * time.Millisecond) }
	if score, apart := tellApart(100, noise, noise); apart {
		t.Errorf("two of the same are told apart: %.1f", score)
	}
	if score, apart := tellApart(100, leak, noise); !apart {
		t.Errorf("two milliseconds are not heard: %.1f", score)
	}
}

// crowd opens accounts, and gives them the password and phone that are asked about.
func (w *town) crowd(n int) {
	w.t.Helper()
	gwen := w.accountOf(gwen().email)
	record, err := w.DB.Passwords().Password(w.t.Context(), gwen.ID)
	must(w.t, err)
	for i := range n {
		d, err := identity.Revealed{
			GivenName: "Prawf", FamilyName: "Enghraifft", BirthDate: "1980-02-01", Email: crowdEmail(i), EmailVerified: true, Phone: crowdPhone(i), PhoneVerified: true,
		}.Details()
		must(w.t, err)
		must(w.t, w.Ledger.Within(w.t.Context(), func(ctx context.Context) error {
			acc, err := w.Accounts.Open(ctx, account.SignUp{Details: d, Basis: identity.BasisContacts, Language: "cy"})
			if err == nil {
				err = w.DB.Passwords().SetPassword(ctx, acc.ID, record)
			}
			if err == nil {
				_, err = w.Factors.BindPhone(ctx, acc.ID, d.Phone, identity.P0)
			}
			return err
		}))
	}
}

func crowdEmail(i int) string   { return fmt.Sprintf("crowd%d@example.com", i) }
func crowdPhone(i int) string   { return fmt.Sprintf("0770%07d", 1_000_000+i) }
func nobodysEmail(i int) string { return fmt.Sprintf("nobody%d@example.com", i) }
func nobodysPhone(i int) string { return fmt.Sprintf("0770%07d", 5_000_000+i) }

// Row D1: how long an answer takes tells nobody whether there is an account.
func TestD1AnswersTakeTheSameTime(t *testing.T) {
	w := newTown(t)
	w.signUp(gwen())
	w.crowd(timedRounds * timedAnswers)
	ask := func(path, field string, value func(int) string, more url.Values) func(int) {
		return func(i int) {
			w.clock.advance(time.Second)
			form := url.Values{field: {value(i)}}
			for name, v := range more {
				form[name] = v
			}
			if p := w.browser().post(path, form); p.StatusCode >= http.StatusInternalServerError {
				t.Fatalf("%s: got %d", path, p.StatusCode)
			}
		}
	}
	wrong := url.Values{"password": {"not the password"}}
	for name, row := range map[string]struct {
		answers        int
		known, unknown func(int)
	}{
		"log-in, a wrong password": {40, ask("/login/email", "email", crowdEmail, wrong), ask("/login/email", "email", nobodysEmail, wrong)},
		"forgotten password":       {timedAnswers, ask("/recover", "email", crowdEmail, nil), ask("/recover", "email", nobodysEmail, nil)},
		"forgotten e-mail":         {timedAnswers, ask("/recover/email", "phone", crowdPhone, nil), ask("/recover/email", "phone", nobodysPhone, nil)},
	} {
		t.Run(name, func(t *testing.T) {
			score, apart := tellApart(row.answers, row.known, row.unknown)
			t.Logf("score %.1f", score)
			if apart {
				t.Errorf("known and unknown are told apart by time: %.1f standard deviations in each of %d rounds", score, timedRounds)
			}
		})
	}
}
