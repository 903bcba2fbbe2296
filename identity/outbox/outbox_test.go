package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/store"
	"github.com/dilys-id/dilys/store/storetest"
)

// epoch is when the stories begin.
var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// rig is two replicas of an outbox over a real database, a vendor that both hand
// messages to, and a clock that a test moves.
type rig struct {
	*testing.T
	*outbox.Outbox
	other *outbox.Outbox
	db    *store.DB

	mu     sync.Mutex
	at     time.Time
	told   []outbox.Happening
	inbox  []outbox.Message // what reached a patient
	asked  int
	answer func(m outbox.Message) (taken bool, err error) // nil: taken
	sent   func(m outbox.Message) (bool, error)           // nil: as the inbox says
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{T: t, at: epoch}
	r.db = storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), r.now)
	options := outbox.Options{Courier: r, Now: r.now, Told: r.tell}
	r.Outbox, r.other = outbox.New(r.db.Outbox(), options), outbox.New(r.db.Outbox(), options)
	return r
}

func (r *rig) now() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.at }

func (r *rig) advance(d time.Duration) { r.mu.Lock(); defer r.mu.Unlock(); r.at = r.at.Add(d) }

func (r *rig) tell(h outbox.Happening) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, h)
}

// Send is of [outbox.Courier].
func (r *rig) Send(_ context.Context, m outbox.Message) error {
	r.mu.Lock()
	answer := r.answer
	r.mu.Unlock()
	taken, err := true, error(nil)
	if answer != nil {
		taken, err = answer(m)
	}
	if taken {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.inbox = append(r.inbox, m)
	}
	return err
}

// Sent is of [outbox.Courier].
func (r *rig) Sent(_ context.Context, m outbox.Message) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	if r.sent != nil {
		return r.sent(m)
	}
	return slices.ContainsFunc(r.inbox, func(got outbox.Message) bool { return got.ID == m.ID }), nil
}

// says makes the vendor take no message and answer that.
func (r *rig) says(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = func(outbox.Message) (bool, error) { return false, err }
}

// honest makes the vendor take every message.
func (r *rig) honest() { r.mu.Lock(); defer r.mu.Unlock(); r.answer = nil }

func (r *rig) ok(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// deliver delivers and fails unless that many were tried.
func (r *rig) deliver(want int) {
	r.Helper()
	n, err := r.Deliver(r.Context())
	r.ok(err)
	if n != want {
		r.Fatalf("wanted %d tried, got %d", want, n)
	}
}

// received fails unless the inbox holds that many.
func (r *rig) received(want int) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.inbox) != want {
		r.Fatalf("wanted %d messages received, got %d", want, len(r.inbox))
	}
}

// happened fails unless that happened so often, with that cause.
func (r *rig) happened(what outbox.What, cause string, want int) {
	r.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, h := range r.told {
		if h.What == what && h.Cause == cause {
			n++
		}
	}
	if n != want {
		r.Fatalf("wanted %q with the cause %q %d times, got %d in %v", what, cause, want, n, r.told)
	}
}

func (r *rig) state(by identity.Channel) outbox.ChannelState {
	r.Helper()
	s, err := r.other.State(r.Context(), by)
	r.ok(err)
	return s
}

// must unwraps a value that a test's own constant can't make wrong.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// code is a code by text, alive for ten minutes.
func code() outbox.Message {
	return outbox.Message{
		To: must(identity.ParsePhone("07700900123")).Contact(), Kind: outbox.CodeLogin,
		Params: map[string]identity.Secret{"code": "271828"}, Expires: epoch.Add(10 * time.Minute),
	}
}

// notice is a notice by e-mail.
func notice() outbox.Message {
	return outbox.Message{To: must(identity.ParseEmail("ann@example.com")).Contact(), Kind: outbox.PasswordChanged}
}

func TestMessageLeavesOnce(t *testing.T) {
	r := newRig(t)
	r.ok(r.Put(t.Context(), code()))
	r.ok(r.Put(t.Context(), notice()))
	r.deliver(2)
	r.deliver(0)
	r.received(2)
	r.happened(outbox.Put, "", 2)
	r.happened(outbox.Sent, "", 2)
	for _, m := range r.inbox {
		if m.ID == "" || m.Due != epoch || m.Kind == outbox.PasswordChanged && m.Expires != epoch.Add(72*time.Hour) {
			t.Errorf("%s: %s, due %s, expires %s", m.Kind, m.ID, m.Due, m.Expires)
		}
	}
}

func TestPutRefusesWhatCouldNeverBeSent(t *testing.T) {
	r := newRig(t)
	for name, change := range map[string]func(*outbox.Message){
		"an unknown kind":            func(m *outbox.Message) { m.Kind = "advertisement" },
		"no kind":                    func(m *outbox.Message) { m.Kind = "" },
		"nobody":                     func(m *outbox.Message) { m.To = identity.Contact{} },
		"a login code by e-mail":     func(m *outbox.Message) { m.To = notice().To },
		"a code without the code":    func(m *outbox.Message) { m.Params = nil },
		"a code that is empty":       func(m *outbox.Message) { m.Params = map[string]identity.Secret{"code": ""} },
		"a parameter it doesn't say": func(m *outbox.Message) { m.Params["name"] = "Ann" },
		"a code without an end":      func(m *outbox.Message) { m.Expires = time.Time{} },
		"a code that is dead":        func(m *outbox.Message) { m.Expires = epoch },
		"due after its end":          func(m *outbox.Message) { m.Due = m.Expires },
	} {
		m := code()
		change(&m)
		if err := r.Put(t.Context(), m); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	r.deliver(0)
}

// What the courier answers, and what becomes of a message that lives ten minutes.
func TestAnswers(t *testing.T) {
	for name, row := range map[string]struct {
		answer error
		tried  int // when asked each five seconds
		dead   time.Duration
		cause  string
		off    bool // the channel, ever
	}{
		"permanent: given up at once":              {outbox.Permanent{Cause: "no-such-number"}, 1, 0, "no-such-number", false},
		"temporary: tried, less and less often":    {outbox.Temporary{Cause: "busy"}, 7, 10 * time.Minute, outbox.CauseExpired, true},
		"temporary, told when: not before":         {outbox.Temporary{RetryAfter: 3 * time.Minute, Cause: "rate-limit"}, 4, 9 * time.Minute, outbox.CauseExpired, false},
		"temporary, until after its end: given up": {outbox.Temporary{RetryAfter: time.Hour, Cause: "rate-limit"}, 1, 0, outbox.CauseExpired, false},
		"off until after its end: given up":        {outbox.Off{Until: epoch.Add(time.Hour), Cause: "daily-limit"}, 1, 0, outbox.CauseExpired, true},
		"off, nobody knows how long: on trial":     {outbox.Off{Cause: "bad-key"}, 5, 10 * time.Minute, outbox.CauseExpired, true},
		"no answer: asked after, tried again":      {errors.New("connection broke"), 7, 10 * time.Minute, outbox.CauseExpired, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.says(row.answer)
			r.ok(r.Put(t.Context(), code()))
			tried, off, dead := 0, false, time.Duration(-1)
			for second := 0; second < 11*60; second += 5 {
				n, err := r.Deliver(t.Context())
				r.ok(err)
				tried, off = tried+n, off || r.state(identity.BySMS).Off
				if dead < 0 && slices.ContainsFunc(r.told, func(h outbox.Happening) bool { return h.What == outbox.Dead }) {
					dead = time.Duration(second) * time.Second
				}
				r.advance(5 * time.Second)
			}
			if tried != row.tried || off != row.off || dead != row.dead {
				t.Errorf("tried %d times, off %v, dead after %s", tried, off, dead)
			}
			if row.answer.Error() == "connection broke" && r.asked != tried-1 {
				t.Errorf("wanted every try but the first to ask before, got %d of %d", r.asked, tried)
			}
			r.happened(outbox.Dead, row.cause, 1)
			r.honest()
			r.advance(24 * time.Hour)
			r.deliver(0)
			r.received(0)
		})
	}
}

// Row L6: the vendor took the message and the answer was lost.
func TestTimeOutAfterAcceptSendsNoSecond(t *testing.T) {
	r := newRig(t)
	r.answer = func(outbox.Message) (bool, error) { return true, context.DeadlineExceeded }
	r.ok(r.Put(t.Context(), code()))
	r.deliver(1)
	r.honest()
	r.deliver(0) // the vendor may still be writing it down
	r.sent = func(outbox.Message) (bool, error) { return false, errors.New("no answer either") }
	r.advance(10 * time.Second)
	r.deliver(1)
	r.sent = nil
	r.advance(10 * time.Second)
	r.deliver(1)
	r.advance(time.Minute)
	r.deliver(0)
	r.received(1)
	if r.asked != 2 {
		t.Errorf("wanted the courier asked twice, got %d", r.asked)
	}
	r.happened(outbox.Sent, "", 1)
}

// Even a refusal to answer the question is no word on the message.
func TestDoubtStaysWhateverTheQuestionMeets(t *testing.T) {
	for name, refusal := range map[string]error{
		"permanent": outbox.Permanent{Cause: "bad-request"}, "temporary": outbox.Temporary{Cause: "busy"}, "off": outbox.Off{Until: epoch.Add(time.Minute), Cause: "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.answer = func(outbox.Message) (bool, error) { return true, errors.New("lost") }
			r.ok(r.Put(t.Context(), code()))
			r.deliver(1)
			r.honest()
			r.sent = func(outbox.Message) (bool, error) { return false, refusal }
			r.advance(10 * time.Second)
			r.deliver(1)
			r.sent = nil
			r.advance(2 * time.Minute)
			r.deliver(1)
			r.received(1)
			r.happened(outbox.Sent, "", 1)
		})
	}
}

// Row L6: a replica dies between the vendor's yes and its own mark.
func TestKilledBetweenSendAndMark(t *testing.T) {
	r := newRig(t)
	for _, taken := range []bool{true, false} {
		m := code()
		r.ok(r.Put(t.Context(), m))
		claimed, err := r.db.Outbox().Claim(t.Context(), outbox.Claim{
			By: identity.BySMS, Lease: "of the dead", At: r.now(), Until: r.now().Add(2 * time.Minute), Limit: 1,
		})
		r.ok(err)
		if taken {
			r.ok(r.Send(t.Context(), claimed[0].Message))
		}
		r.deliver(0)
		r.advance(2 * time.Minute)
		r.deliver(1)
	}
	r.received(2)
	if r.asked != 2 {
		t.Errorf("wanted the courier asked of both, got %d", r.asked)
	}
}

// Row L6: down for half an hour. No code that is dead leaves afterwards, no
// notice is lost or doubled, and the page can say so on every replica.
func TestDownForHalfAnHour(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Temporary{Cause: "no-connection"})
	r.ok(r.Put(t.Context(), code()))
	texted := outbox.Message{To: code().To, Kind: outbox.Locked}
	r.ok(r.Put(t.Context(), texted))
	r.ok(r.Put(t.Context(), notice()))
	off := false
	for range 30 * 60 / 5 {
		_, err := r.Deliver(t.Context())
		r.ok(err)
		off = off || r.state(identity.BySMS).Off
		r.advance(5 * time.Second)
	}
	if !off {
		t.Error("the channel was never said to be off")
	}
	r.happened(outbox.ChannelOff, outbox.CauseFailing, 2)
	late := code()
	late.Expires = r.now().Add(10 * time.Minute)
	r.honest()
	r.ok(r.Put(t.Context(), late))
	for range 16 * 60 / 5 {
		_, err := r.Deliver(t.Context())
		r.ok(err)
		r.advance(5 * time.Second)
	}
	kinds := map[outbox.Kind]int{}
	for _, m := range r.inbox {
		kinds[m.Kind]++
		if m.Kind == outbox.CodeLogin && m.Expires != late.Expires {
			t.Error("a dead code left")
		}
	}
	if kinds[outbox.Locked] != 1 || kinds[outbox.PasswordChanged] != 1 || kinds[outbox.CodeLogin] > 1 {
		t.Errorf("got %v", kinds)
	}
	r.happened(outbox.ChannelOn, "", 2)
	if s := r.state(identity.BySMS); s != (outbox.ChannelState{}) {
		t.Errorf("wanted the channel on, got %v", s)
	}
}

func TestDailyLimitTurnsTheChannelOffUntilItEnds(t *testing.T) {
	r := newRig(t)
	midnight := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	r.says(outbox.Off{Until: midnight, Cause: "daily-limit"})
	r.ok(r.Put(t.Context(), outbox.Message{To: code().To, Kind: outbox.Locked}))
	r.deliver(1)
	if s := r.state(identity.BySMS); !s.Off || s.Until != midnight || s.Since != epoch || s.Cause != "daily-limit" {
		t.Errorf("got %+v", s)
	}
	if r.state(identity.ByEmail).Off {
		t.Error("the other channel is off too")
	}
	r.honest()
	r.ok(r.Put(t.Context(), code()))
	r.ok(r.Put(t.Context(), notice()))
	r.deliver(1) // the e-mail
	r.advance(midnight.Sub(epoch) - time.Second)
	r.deliver(0)
	r.happened(outbox.Dead, outbox.CauseExpired, 1) // the code, though nothing was sent by the channel
	r.advance(time.Second)
	if r.state(identity.BySMS).Off {
		t.Error("the channel is off after midnight")
	}
	r.deliver(1)
	r.received(2)
}

// On trial one message at a time is tried: a vendor that comes back is not
// flooded, and one that does not loses nothing more.
func TestTrialSendsOne(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Off{Cause: "bad-key"})
	for range 20 {
		r.ok(r.Put(t.Context(), outbox.Message{To: code().To, Kind: outbox.Locked}))
	}
	r.deliver(16) // all at once, before anyone knew
	r.advance(10 * time.Minute)
	r.deliver(1)
	if !r.state(identity.BySMS).Off {
		t.Error("on after a trial that failed")
	}
	r.honest()
	r.advance(20 * time.Minute)
	r.deliver(20)
	r.received(20)
}

func TestRefusedNumbersTurnNothingOff(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Permanent{Cause: "bad-number"})
	for range 20 {
		r.ok(r.Put(t.Context(), outbox.Message{To: code().To, Kind: outbox.Locked}))
	}
	r.deliver(20)
	if r.state(identity.BySMS).Off {
		t.Error("strangers' numbers turned the channel off")
	}
}

// A code that a newer one killed is not sent, though both waited.
func TestNewestCodeOfAThreadAlone(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Temporary{RetryAfter: time.Second, Cause: "busy"})
	for _, value := range []identity.Secret{"111111", "222222", "333333"} {
		m := code()
		m.Thread, m.Params = "one step", map[string]identity.Secret{"code": value}
		r.ok(r.Put(t.Context(), m))
		r.deliver(1)
		r.advance(time.Second)
	}
	r.honest()
	r.advance(time.Minute)
	r.deliver(1)
	r.received(1)
	if got := r.inbox[0].Params["code"].Reveal(); got != "333333" {
		t.Error("an older code was sent")
	}
	m := code()
	m.Thread = "another step"
	r.ok(r.Put(t.Context(), m))
	r.ok(r.Withdraw(t.Context(), "another step"))
	r.ok(r.Withdraw(t.Context(), ""))
	r.deliver(0)
}

// A message that was claimed in time and is asked after for long is not sent late.
func TestNotSentWhenTheAskingTookTooLong(t *testing.T) {
	r := newRig(t)
	r.says(errors.New("lost"))
	r.ok(r.Put(t.Context(), code()))
	r.deliver(1)
	r.honest()
	r.sent = func(outbox.Message) (bool, error) {
		r.at = r.at.Add(10 * time.Minute)
		return false, nil
	}
	r.advance(10 * time.Second)
	r.deliver(1)
	r.received(0)
	r.happened(outbox.Dead, outbox.CauseExpired, 1)
}

func TestRaceOfReplicasSendsEachOnce(t *testing.T) {
	r := newRig(t)
	const messages, deliverers = 60, 50
	for range messages {
		r.ok(r.Put(t.Context(), code()))
	}
	var all sync.WaitGroup
	for i := range deliverers {
		all.Go(func() {
			box := []*outbox.Outbox{r.Outbox, r.other}[i%2]
			if _, err := box.Deliver(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	r.received(messages)
	seen := map[string]bool{}
	for _, m := range r.inbox {
		if seen[m.ID] {
			t.Fatal("sent twice")
		}
		seen[m.ID] = true
	}
	if r.asked > 0 {
		t.Errorf("%d were in doubt", r.asked)
	}
}

// idle is a store that tells when the texts were looked for in vain.
type idle struct {
	outbox.Store
	found chan struct{}
}

func (i idle) Claim(ctx context.Context, c outbox.Claim) ([]outbox.Claimed, error) {
	got, err := i.Store.Claim(ctx, c)
	if c.By == identity.BySMS && len(got) == 0 {
		i.found <- struct{}{}
	}
	return got, err
}

// Run sends what a commit made due without waiting for its next turn, a slow
// message holds up no other, and a stop waits for the answer under way.
func TestRun(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	slow, arrived := make(chan struct{}), make(chan string, 9)
	r.answer = func(m outbox.Message) (bool, error) {
		arrived <- m.ID
		if m.ID == "slow" {
			<-slow
		}
		return true, nil
	}
	store := idle{r.db.Outbox(), make(chan struct{}, 99)}
	r.Outbox = outbox.New(store, outbox.Options{Courier: r, Now: r.now, Told: r.tell})
	done := make(chan struct{})
	go func() { r.Outbox.Run(ctx, time.Hour); close(done) }()
	for _, id := range []string{"slow", "two", "three"} {
		m := code()
		m.ID = id
		<-store.found // it rests until it is woken
		r.ok(r.db.Audit().Within(t.Context(), func(ctx context.Context) error { return r.Put(ctx, m) }))
		if got := <-arrived; got != id {
			t.Fatalf("wanted %s, got %s", id, got)
		}
	}
	stop()
	select {
	case <-done:
		t.Fatal("stopped while a message was under way")
	default:
	}
	close(slow)
	<-done
	r.received(3)
	r.happened(outbox.Sent, "", 3)
	r.happened(outbox.Faulty, "", 0)
}

func TestWaitingTellsHowLong(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Temporary{RetryAfter: time.Second, Cause: "busy"})
	r.ok(r.Put(t.Context(), notice()))
	r.advance(90 * time.Second)
	for by, want := range map[identity.Channel]time.Duration{identity.ByEmail: 90 * time.Second, identity.BySMS: 0} {
		if got, err := r.Waiting(t.Context(), by); err != nil || got != want {
			t.Errorf("%s: wanted %s, got %s, %v", by, want, got, err)
		}
	}
}

func TestReceiptsCountOnce(t *testing.T) {
	r := newRig(t)
	m := code()
	m.ID = "reference"
	r.ok(r.Put(t.Context(), m))
	r.deliver(1)
	for _, reference := range []string{"reference", "reference", "somebody else's", ""} {
		r.ok(r.Receive(t.Context(), reference, "delivered"))
	}
	r.happened(outbox.Received, "delivered", 1)
}

// Nothing that happened can print a person's value.
func TestHappeningsTellNothingPersonal(t *testing.T) {
	r := newRig(t)
	r.says(outbox.Permanent{Cause: "no-such-number"})
	r.ok(r.Put(t.Context(), code()))
	r.deliver(1)
	if text := fmt.Sprintf("%+v %#v", r.told, code()); slices.ContainsFunc([]string{"7700", "271828"}, func(s string) bool {
		return strings.Contains(text, s)
	}) {
		t.Error("a value is printed")
	}
}

func TestDatabaseAwayIsSaid(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Deliver(ctx); err == nil {
		t.Error("wanted an error, got none")
	}
}

func TestKindsAreWhole(t *testing.T) {
	const atLeast = 18
	if len(outbox.Kinds()) < atLeast {
		t.Errorf("got %d kinds", len(outbox.Kinds()))
	}
	for _, k := range outbox.Kinds() {
		if !k.Goes(identity.ByEmail) && !k.Goes(identity.BySMS) {
			t.Errorf("%s goes nowhere", k)
		}
	}
	if outbox.CodeLogin.Goes(identity.ByEmail) || outbox.CodeLoginEmail.Goes(identity.BySMS) {
		t.Error("a login code may go by e-mail, or one that is no second factor looks like one that is")
	}
}
