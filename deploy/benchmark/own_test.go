package benchmark

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"github.com/dilys-id/dilys/rp/courier/notifystandin"
)

// Patients who signed up here: how many log in in a round. Each logs in once, as a
// phone gets few texts in ten minutes.
const (
	ownPatients = 40
	ownRounds   = 3
	ownPassword = "wobbly teapot sky"
)

// What a crowd at the passwords is measured by.
const (
	crowdChecks = 2000
	checkEvery  = 5 * time.Millisecond // 200 a second
	crowdSize   = 8
	memoryCrowd = 500
)

// Ids of the stand-in for GOV.UK Notify.
const (
	benchService  = "7c1f0a52-5e4b-4d0c-9a57-00000000000a"
	benchEmail    = "7c1f0a52-5e4b-4d0c-9a57-00000000000b"
	benchText     = "7c1f0a52-5e4b-4d0c-9a57-00000000000c"
	benchNotifier = "7c1f0a52-5e4b-4d0c-9a57-00000000000d"
)

// openSignUp lets patients sign up in this world, with messages that this process
// takes.
func (w *world) openSignUp() (*notifystandin.StandIn, error) {
	s, err := notifystandin.New(notifystandin.Options{
		Now: time.Now, Name: "bench", Service: benchService, Secret: benchNotifier, Templates: []notifystandin.Template{
			{ID: benchEmail, Type: notifystandin.Email, Subject: "((subject))", Body: "((body))"},
			{ID: benchText, Type: notifystandin.SMS, Body: "((body))"},
		},
	})
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(l, s) }() //nolint:gosec // loopback, until the process ends
	if err := os.WriteFile(w.file("notify.key"), []byte("bench-"+benchService+"-"+benchNotifier), 0o600); err != nil {
		return nil, err
	}
	more := fmt.Sprintf(`sign_up: {enabled: true, test_nhs_numbers: true}
courier:
  email: {kind: notify, url: "http://%[1]s", api_key_file: %[2]s, template: %[3]s}
  sms: {kind: notify, url: "http://%[1]s", api_key_file: %[2]s, template: %[4]s}
`, l.Addr(), w.file("notify.key"), benchEmail, benchText)
	return s, os.WriteFile(w.file("dilys.yaml"), []byte(w.configuration()+more), 0o600)
}

var digits = regexp.MustCompile(`\b\d{6}\b`)

// codeTo waits for the next code to that address, after those that were there before.
func codeTo(ctx context.Context, s *notifystandin.StandIn, to string, before int) (string, error) {
	for end := time.Now().Add(patience); time.Now().Before(end) && ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if all := sentTo(s, to); len(all) > before {
			return digits.FindString(all[len(all)-1]), nil
		}
	}
	return "", errors.New("wanted a code sent, got none")
}

func sentTo(s *notifystandin.StandIn, to string) []string {
	var all []string
	for _, m := range s.Messages() {
		if m.To == to && digits.MatchString(m.Body) {
			all = append(all, m.Body)
		}
	}
	return all
}

// post sends a form and returns where the answer leads.
func (b *browser) post(ctx context.Context, path string, form url.Values) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, b.at(path), strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.base.String())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("X-Forwarded-For", b.from)
	answer, err := b.client.Do(r)
	if err != nil {
		return 0, "", err
	}
	_ = answer.Body.Close()
	return answer.StatusCode, answer.Header.Get("Location"), nil
}

// own is a patient who signed up here.
type own struct{ email, phone, e164 string }

func patientNumber(i int) own {
	number := fmt.Sprintf("4%04d%04d", i, 1000+i)
	return own{fmt.Sprintf("patient%d@example.com", i), "07" + number, "+447" + number}
}

// elsewhere gives each browser a network of its own, so that none is slowed down for
// the others.
func elsewhere(base string, i int) (*browser, error) {
	b, err := newBrowser(base)
	if err == nil {
		b.from = fmt.Sprintf("198.18.%d.%d", i/250, i%250+1)
	}
	return b, err
}

// signUp signs a patient up from the first page to the account, and returns the browser
// that is logged in then.
func (w *world) signUp(ctx context.Context, s *notifystandin.StandIn, i int) (*browser, error) {
	p := patientNumber(i)
	b, err := elsewhere(w.dilysURL(), i)
	if err != nil {
		return nil, err
	}
	for _, step := range []struct {
		page string
		form func() (url.Values, error)
	}{
		{"", plain("old_enough", "yes")},
		{"/device", plain("device", "own")},
		{"/email", plain("email", p.email)},
		{"/email-code", func() (url.Values, error) { return given(codeTo(ctx, s, p.email, 0)) }},
		{"/phone", plain("phone", p.phone)},
		{"/phone-code", func() (url.Values, error) { return given(codeTo(ctx, s, p.e164, 0)) }},
		{"/name", plain("given_name", "Prawf", "family_name", "Enghraifft")},
		{"/birth-date", plain("bday-day", "1", "bday-month", "2", "bday-year", "1980")},
		{"/nhs-number", plain("nhs_number", "999 100 0003")},
		{"/password", plain("password", ownPassword)},
		{"/check", plain()},
	} {
		form, err := step.form()
		if err != nil {
			return nil, fmt.Errorf("sign-up%s: %w", step.page, err)
		}
		status, to, err := b.post(ctx, "/sign-up"+step.page, form)
		if err != nil {
			return nil, err
		}
		if status != http.StatusSeeOther || step.page == "/check" && to != "/account/second-way" {
			return nil, fmt.Errorf("sign-up%s: wanted to go on, got %d to %s", step.page, status, to)
		}
	}
	return b, nil
}

func plain(pairs ...string) func() (url.Values, error) {
	form := url.Values{}
	for pair := range slices.Chunk(pairs, 2) {
		form.Set(pair[0], pair[1])
	}
	return func() (url.Values, error) { return form, nil }
}

func given(code string, err error) (url.Values, error) { return url.Values{"code": {code}}, err }

// logIn logs a patient in by password and texted code.
func (w *world) logIn(ctx context.Context, s *notifystandin.StandIn, i int) error {
	p := patientNumber(i)
	b, err := elsewhere(w.dilysURL(), i)
	if err != nil {
		return err
	}
	before := len(sentTo(s, p.e164))
	if _, err := b.ask(ctx, http.MethodGet, b.at("/login/email"), http.StatusOK); err != nil {
		return err
	}
	status, to, err := b.post(ctx, "/login/email", url.Values{"email": {p.email}, "password": {ownPassword}})
	if err != nil {
		return err
	}
	if to != "/login/email/code" {
		return fmt.Errorf("password: wanted the code asked for, got %d to %s", status, to)
	}
	code, err := codeTo(ctx, s, p.e164, before)
	if err != nil {
		return err
	}
	status, to, err = b.post(ctx, "/login/email/code", url.Values{"code": {code}})
	if err == nil && status != http.StatusSeeOther {
		err = fmt.Errorf("code: wanted to go on, got %d to %s", status, to)
	}
	return err
}

// family is the process and the workers that it started.
func (p *process) family() ([]int, error) {
	all := []int{p.cmd.Process.Pid}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", p.cmd.Process.Pid))
	if err != nil {
		return nil, err
	}
	for _, task := range tasks {
		b, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that ended meanwhile
		}
		for _, field := range strings.Fields(string(b)) {
			if pid, err := strconv.Atoi(field); err == nil {
				all = append(all, pid)
			}
		}
	}
	return all, nil
}

// familyTime is the processor time of all of them.
func (p *process) familyTime() (time.Duration, error) {
	pids, err := p.family()
	var sum time.Duration
	for _, pid := range pids {
		b, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if readErr != nil {
			return 0, readErr
		}
		took, readErr := processorTime(string(b), ticks)
		err, sum = errors.Join(err, readErr), sum+took
	}
	return sum, err
}

// familyMemory is what all of them hold, in MiB.
func (p *process) familyMemory() (float64, error) {
	pids, err := p.family()
	sum := 0.0
	for _, pid := range pids {
		b, readErr := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if readErr != nil {
			continue
		}
		mib, _ := resident(string(b))
		sum += mib
	}
	return sum, err
}

// hashes does that many hashes as a password is hashed, here, and returns the
// processor time that they took.
func hashes(times int) (time.Duration, error) {
	const memory, passes, lanes, size = 19 << 10, 2, 1, 32
	self := func() (time.Duration, error) {
		b, err := os.ReadFile("/proc/self/stat")
		if err != nil {
			return 0, err
		}
		return processorTime(string(b), ticks)
	}
	before, err := self()
	if err != nil {
		return 0, err
	}
	salt := make([]byte, 16)
	for range times {
		argon2.IDKey([]byte(ownPassword), salt, passes, memory, lanes, size)
	}
	after, err := self()
	return after - before, err
}

// own measures the log-in by password and texted code beside its hash.
func (w *world) own(ctx context.Context) ([]row, error) {
	s, err := w.openSignUp()
	if err != nil {
		return nil, err
	}
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	for i := range ownPatients * ownRounds {
		if _, err := w.signUp(ctx, s, i); err != nil {
			return nil, fmt.Errorf("patient %d: %w\n%.2000s", i, err, ours.said())
		}
	}
	pairs := make([][2]float64, ownRounds)
	for round := range pairs {
		before, err := ours.familyTime()
		if err != nil {
			return nil, err
		}
		for i := range ownPatients {
			if err := w.logIn(ctx, s, round*ownPatients+i); err != nil {
				return nil, err
			}
		}
		after, err := ours.familyTime()
		if err != nil {
			return nil, err
		}
		bare, err := hashes(ownPatients)
		if err != nil {
			return nil, err
		}
		pairs[round] = [2]float64{ms(after-before) / ownPatients, ms(bare) / ownPatients}
	}
	return []row{besides("a log-in by password and code, CPU, beside its hash", "ms", pairs, 1.1)}, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// crowd measures what a crowd at the passwords costs everybody else.
func (w *world) crowd(ctx context.Context) ([]row, error) {
	if _, err := w.openSignUp(); err != nil {
		return nil, err
	}
	ours, _, err := w.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer ours.stop()
	cookie, err := login(ctx, w.dilysURL())
	if err != nil {
		return nil, err
	}
	var pairs [][2]float64
	const rounds = 3
	for range rounds {
		quiet, err := w.checksFor(ctx, cookie)
		if err != nil {
			return nil, err
		}
		crowded, stop := context.WithCancel(ctx)
		var all sync.WaitGroup
		var n atomic.Int64
		for range crowdSize {
			all.Go(func() {
				for crowded.Err() == nil {
					_ = w.guess(crowded, int(n.Add(1)))
				}
			})
		}
		loud, err := w.checksFor(ctx, cookie)
		stop()
		all.Wait()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]float64{ms(loud), ms(quiet)})
	}
	rows := []row{besides("/check p99 at 200/s, passwords queued without end, beside undisturbed", "ms", pairs, 3)}
	held, err := w.heldIn(ctx, ours)
	return append(rows, alone("memory in 500 log-ins at once, workers too", "MiB", held, 200)), err
}

// guess tries a password for an address that nobody has: it costs what any does.
func (w *world) guess(ctx context.Context, i int) error {
	b, err := elsewhere(w.dilysURL(), i%60_000)
	if err != nil {
		return err
	}
	_, _, err = b.post(ctx, "/login/email", url.Values{"email": {fmt.Sprintf("crowd%d@example.com", i)}, "password": {ownPassword}})
	return err
}

// checksFor asks at a fixed rate and returns the time within which 99 of 100 were
// answered. One that fails is an error.
func (w *world) checksFor(ctx context.Context, cookie string) (time.Duration, error) {
	took := make([]time.Duration, crowdChecks)
	errs := make(chan error, crowdChecks)
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	var all sync.WaitGroup
	for i := range crowdChecks {
		<-tick.C
		all.Go(func() {
			began := time.Now()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.dilysURL()+"/check", nil)
			if err != nil {
				errs <- err
				return
			}
			r.AddCookie(&http.Cookie{Name: sessionCookie, Value: cookie})
			answer, err := roads.RoundTrip(r)
			if err != nil {
				errs <- err
				return
			}
			_ = answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				errs <- fmt.Errorf("check: wanted 200, got %d", answer.StatusCode)
			}
			took[i] = time.Since(began)
		})
	}
	all.Wait()
	close(errs)
	if err := <-errs; err != nil {
		return 0, err
	}
	slices.Sort(took)
	return took[len(took)*99/100], nil
}

// heldIn is the most memory that the service and its workers hold while many log in at
// once, in MiB.
func (w *world) heldIn(ctx context.Context, ours *process) (float64, error) {
	most, done := 0.0, make(chan struct{})
	go func() {
		var all sync.WaitGroup
		for i := range memoryCrowd {
			all.Go(func() { _ = w.guess(ctx, 100_000+i) })
		}
		all.Wait()
		close(done)
	}()
	for {
		held, err := ours.familyMemory()
		if err != nil {
			return 0, err
		}
		most = max(most, held)
		select {
		case <-done:
			return most, nil
		case <-time.After(2 * time.Millisecond):
		}
	}
}
