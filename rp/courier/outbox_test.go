package courier_test

import (
	"context"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/outbox"
	"github.com/dilys-id/dilys/rp/courier"
	"github.com/dilys-id/dilys/rp/courier/notifystandin"
	"github.com/dilys-id/dilys/rp/courier/smtpstandin"
	"github.com/dilys-id/dilys/store/storetest"
)

// world is an outbox over a real database, with couriers to the stand-ins and a
// clock that a test moves.
type world struct {
	*testing.T
	*outbox.Outbox
	notify *post
	mail   *smtpstandin.StandIn

	mu   sync.Mutex
	at   time.Time
	told []outbox.Happening
}

func (w *world) now() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.at }

func (w *world) advance(d time.Duration) { w.mu.Lock(); defer w.mu.Unlock(); w.at = w.at.Add(d) }

func newWorld(t *testing.T, change ...func(*notifystandin.Options)) *world {
	t.Helper()
	w := &world{T: t, at: epoch}
	w.notify = newPost(t, w.now, change...)
	w.notify.patience = hasty
	mail, options := newMailServer(t, w.now)
	w.mail = mail
	c := must(courier.New(courier.Options{
		Organisation: map[string]string{"en": "Example Health Board", "cy": "Bwrdd Iechyd Enghreifftiol"}, PublicURL: "https://login.example.nhs.uk",
		Email: must(courier.NewSMTP(options)), SMS: w.notify.client(t, w.notify.Key(), smsID, w.now),
	}))
	db := storetest.Open(t, storetest.SQLite(t), storetest.Keys(t), w.now)
	w.Outbox = outbox.New(db.Outbox(), outbox.Options{Courier: c, Now: w.now, Told: func(h outbox.Happening) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, h)
	}})
	return w
}

func (w *world) put(m outbox.Message) {
	w.Helper()
	if err := w.Put(w.Context(), m); err != nil {
		w.Fatal(err)
	}
}

// run delivers every quarter of a minute of that time.
func (w *world) run(d time.Duration) {
	w.Helper()
	const every = 15 * time.Second
	for range d / every {
		if _, err := w.Deliver(w.Context()); err != nil {
			w.Fatal(err)
		}
		w.advance(every)
	}
}

func (w *world) code(to identity.Contact, thread string) outbox.Message {
	kind := outbox.CodeLogin
	if to.Channel == identity.ByEmail {
		kind = outbox.CodeRecover
	}
	return outbox.Message{
		To: to, Thread: thread, Kind: kind, Language: "en", Expires: w.now().Add(10 * time.Minute),
		Params: map[string]identity.Secret{"code": "271828"},
	}
}

// Row L6 by text: whatever Notify does wrong for half an hour, nothing arrives
// twice, no code arrives dead, the page can tell, and what is still good arrives
// once Notify is well.
func TestNotifyFailsForHalfAnHour(t *testing.T) {
	for _, fault := range notifystandin.Faults {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t)
			w.notify.SetFault(fault)
			w.put(w.code(phone, ""))
			w.put(outbox.Message{ID: "notice", To: phone, Kind: outbox.Locked})
			off := false
			for range 30 {
				w.run(time.Minute)
				s, err := w.State(t.Context(), identity.BySMS)
				off = off || err == nil && s.Off
			}
			// A vendor that says when to come again, or can be asked after what it
			// took, works.
			if mustTell := fault != notifystandin.RateLimit && fault != notifystandin.Drop; off != mustTell {
				t.Errorf("told as off: %v", off)
			}
			taken := len(w.notify.Messages())
			w.notify.SetFault("")
			w.run(20 * time.Minute)
			seen := map[string]int{}
			for i, m := range w.notify.Messages() {
				seen[m.Reference]++
				if i >= taken && strings.Contains(m.Body, "271828") {
					t.Error("a dead code was sent")
				}
			}
			for reference, n := range seen {
				if n != 1 {
					t.Errorf("%s arrived %d times", reference, n)
				}
			}
			if seen["notice"] != 1 {
				t.Errorf("the notice arrived %d times", seen["notice"])
			}
			if s, err := w.State(t.Context(), identity.BySMS); err != nil || s.Off {
				t.Errorf("still off: %+v, %v", s, err)
			}
		})
	}
}

// The same by email. A mail server that breaks off after it took a message can't
// be asked: the second copy has the Message-ID of the first.
func TestMailServerFailsForHalfAnHour(t *testing.T) {
	for _, fault := range []smtpstandin.Fault{
		smtpstandin.RefuseSender, smtpstandin.Greylist, smtpstandin.Busy, smtpstandin.DropBefore, smtpstandin.DropAfter,
	} {
		t.Run(string(fault), func(t *testing.T) {
			w := newWorld(t)
			w.mail.SetFault(fault)
			w.put(w.code(email, ""))
			w.put(outbox.Message{ID: "notice", To: email, Kind: outbox.Locked})
			w.run(30 * time.Minute)
			taken := len(w.mail.Messages())
			w.mail.SetFault("")
			w.run(20 * time.Minute)
			copies, ids := 0, map[string]bool{}
			for i, m := range w.mail.Messages() {
				if strings.Contains(m.Body, "271828") {
					if i >= taken {
						t.Error("a dead code was sent")
					}
					continue
				}
				copies++
				ids[m.Header.Get("Message-Id")] = true
			}
			if len(ids) != 1 || copies != 1 && fault != smtpstandin.DropAfter {
				t.Errorf("wanted one notice, got %d under %d names", copies, len(ids))
			}
		})
	}
}

// A patient who asks again while Notify is slow gets the newest code alone.
func TestAskedThriceGetsOneCode(t *testing.T) {
	w := newWorld(t)
	w.notify.SetFault(notifystandin.RateLimit)
	for _, value := range []identity.Secret{"111111", "222222", "333333"} {
		m := w.code(phone, "one login")
		m.Params = map[string]identity.Secret{"code": value}
		w.put(m)
		w.run(time.Minute)
	}
	w.notify.SetFault("")
	w.run(5 * time.Minute)
	got := w.notify.Messages()
	if len(got) != 1 || !strings.HasPrefix(got[0].Body, "333333 ") {
		t.Errorf("got %d messages", len(got))
	}
}

// Row D14 through the whole: Notify's own receipts, each counted once however
// often it is sent.
func TestReceiptsReachTheOutbox(t *testing.T) {
	w := newWorld(t)
	var lost sync.Once
	h := courier.Receipts(callbacks, func(ctx context.Context, reference, status string) error {
		err := w.Receive(ctx, reference, status)
		lost.Do(func() { err = identity.ErrUnavailable }) // the first one was kept and its answer lost
		return err
	})
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	w.notify = newPost(t, w.now, func(o *notifystandin.Options) { o.Callback, o.Bearer = server.URL, callbacks })
	c := must(courier.New(courier.Options{
		Organisation: map[string]string{"en": "Example Health Board"}, PublicURL: "https://login.example.nhs.uk", SMS: w.notify.sms, Email: w.notify.email,
	}))
	for _, to := range []identity.Contact{phone, must(identity.ParsePhone("07700900002")).Contact()} {
		m := w.code(to, "")
		m.ID = identity.NewID()
		w.put(m)
		if err := c.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.notify.SendReceipts(t.Context()); err == nil {
		t.Error("wanted the first answer lost")
	}
	if n, err := w.notify.SendReceipts(t.Context()); err != nil || n != 2 {
		t.Errorf("wanted two receipts, got %d, %v", n, err)
	}
	counted := map[string]int{}
	for _, h := range w.told {
		if h.What == outbox.Received {
			counted[h.Cause]++
		}
	}
	if len(counted) != 2 || counted["delivered"] != 1 || counted["permanent-failure"] != 1 {
		t.Errorf("counted %v", counted)
	}
}

// A channel that nobody configured is off, and says so.
func TestNoSenderIsOff(t *testing.T) {
	c := must(courier.New(courier.Options{Organisation: map[string]string{"en": "A"}, PublicURL: "https://login.example.nhs.uk"}))
	m := outbox.Message{To: phone, Kind: outbox.Locked}
	if err := c.Send(t.Context(), m); err != (outbox.Off{Cause: "not-configured"}) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Sent(t.Context(), m); err != (outbox.Off{Cause: "not-configured"}) {
		t.Errorf("got %v", err)
	}
}

// Row D13: a message that was tampered with on its way here is given up, not sent.
func TestNoWordsNoSending(t *testing.T) {
	w := newWorld(t)
	w.put(outbox.Message{
		To: email, Kind: outbox.ResetLink, Params: map[string]identity.Secret{"link": "https://evil.example/"}, Expires: epoch.Add(time.Hour),
	})
	w.run(time.Minute)
	if len(w.mail.Messages()) != 0 {
		t.Error("it was sent")
	}
	if last := w.told[len(w.told)-1]; last.What != outbox.Dead || last.Cause != "no-words" {
		t.Errorf("got %+v", last)
	}
}
