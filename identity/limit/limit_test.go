package limit_test

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/limit"
)

var epoch = time.Date(2026, 11, 21, 9, 30, 0, 0, time.UTC)

// through counts how many of one each step get through.
func through(t *testing.T, rules []limit.Rule, steps int, step time.Duration) (n int, last limit.Tally) {
	t.Helper()
	for i := range steps {
		next, err := last.Add(rules, epoch.Add(time.Duration(i)*step))
		if err == nil {
			n++
		} else if e := (*limit.Exceeded)(nil); !errors.As(err, &e) {
			t.Fatal(err)
		}
		last = next
	}
	return n, last
}

func TestASlidingRuleHoldsInEverySpan(t *testing.T) {
	rules := []limit.Rule{{Name: "ten minutes", N: 3, Per: 10 * time.Minute}, {Name: "hour", N: 5, Per: time.Hour}, {Name: "day", N: 10, Per: 24 * time.Hour}}
	var tally limit.Tally
	var passed []time.Time
	for i := range 3 * 24 * 60 {
		at := epoch.Add(time.Duration(i) * time.Minute)
		next, err := tally.Add(rules, at)
		tally = next
		if err == nil {
			passed = append(passed, at)
		}
	}
	for _, r := range rules {
		for i := range passed {
			if i+r.N < len(passed) && passed[i+r.N].Sub(passed[i]) < r.Per {
				t.Errorf("%s: %d in %s", r.Name, r.N+1, passed[i+r.N].Sub(passed[i]))
			}
		}
	}
	if len(passed) != 30 {
		t.Errorf("wanted ten on each of three days, got %d", len(passed))
	}
}

func TestAdd(t *testing.T) {
	three := []limit.Rule{{Name: "three", N: 3, Per: time.Minute}}
	_, full := through(t, three, 3, time.Second)
	var e *limit.Exceeded
	if _, err := full.Add(three, epoch.Add(59*time.Second)); !errors.As(err, &e) || !e.Until.Equal(epoch.Add(time.Minute)) || e.Rule != "three" {
		t.Errorf("wanted it spent until a minute after the first, got %v", e)
	}
	if _, err := full.Add(three, epoch.Add(time.Minute)); err != nil {
		t.Errorf("wanted room after a minute, got %v", err)
	}
	if _, err := full.Add(three, epoch.Add(-time.Hour)); err == nil {
		t.Error("a clock that stepped back forgot what was taken")
	}
	if _, err := (limit.Tally{}).Add([]limit.Rule{{Name: "none", Per: time.Minute}}, epoch); err == nil {
		t.Error("a rule of none let one through")
	}
	large := []limit.Rule{{Name: "large", N: 100, Per: time.Hour}}
	if n, _ := through(t, large, 300, time.Second); n != 100 {
		t.Errorf("wanted 100 in the calendar hour, got %d", n)
	}
	if n, _ := through(t, large, 150, time.Minute); n != 150 {
		t.Errorf("wanted all of one a minute, got %d", n)
	}
}

func TestPay(t *testing.T) {
	policy := limit.Policy{Name: "password", Tries: 3, Within: time.Hour, Lock: 15 * time.Minute, LockMost: 40 * time.Minute, Ever: 12}
	var g limit.Guesses
	now, paid := epoch, 0
	pay := func() error {
		next, err := g.Pay(policy, now)
		g = next
		if err == nil {
			paid++
		}
		return err
	}
	for _, lock := range []time.Duration{15 * time.Minute, 30 * time.Minute, 40 * time.Minute} {
		for range policy.Tries {
			if err := pay(); err != nil {
				t.Fatal(err)
			}
		}
		var e *limit.Exceeded
		if err := pay(); !errors.As(err, &e) || !e.Until.Equal(now.Add(lock)) {
			t.Fatalf("wanted it locked for %s, got %v", lock, err)
		}
		now = now.Add(lock)
	}
	for range policy.Tries {
		if err := pay(); err != nil {
			t.Fatal(err)
		}
	}
	now = now.Add(1000 * time.Hour)
	if err := pay(); !errors.Is(err, limit.ErrEnded) || paid != 12 {
		t.Errorf("wanted the factor off after 12 in a row, got %v after %d", err, paid)
	}
	day := limit.Policy{Name: "code", Day: 10}
	g, paid = limit.Guesses{}, 0
	for range 30 {
		if next, err := g.Pay(day, epoch); err == nil {
			g = next
			paid++
		}
	}
	if paid != 10 {
		t.Errorf("wanted ten a day, got %d", paid)
	}
	if _, err := g.Pay(day, epoch.Add(24*time.Hour)); err != nil {
		t.Errorf("wanted room the day after, got %v", err)
	}
}

func TestADaysBoundHoldsInEveryDay(t *testing.T) {
	policy := limit.Policy{Name: "code", Day: 10}
	var g limit.Guesses
	var paid []time.Time
	for i := range 3 * 24 * 4 {
		at := epoch.Add(time.Duration(i) * 15 * time.Minute)
		if next, err := g.Pay(policy, at); err == nil {
			g, paid = next, append(paid, at)
		}
	}
	for i := range paid {
		if i+10 < len(paid) && paid[i+10].Sub(paid[i]) < 24*time.Hour {
			t.Fatalf("eleven in %s", paid[i+10].Sub(paid[i]))
		}
	}
}

func TestAClockThatRanWildLocksNobodyOutForAYear(t *testing.T) {
	wild := epoch.Add(365 * 24 * time.Hour)
	rules := []limit.Rule{{Name: "one", N: 1, Per: time.Minute}, {Name: "large", N: 100, Per: time.Hour}}
	tally, err := limit.Tally{}.Add(rules, wild)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tally.Add(rules, epoch); err != nil {
		t.Errorf("wanted what a wild clock kept forgotten, got %v", err)
	}
	policy := limit.Policy{Name: "password", Tries: 1, Within: time.Hour, Lock: time.Hour, LockMost: time.Hour}
	g, err := limit.Guesses{}.Pay(policy, wild)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Pay(policy, epoch); err != nil {
		t.Errorf("wanted the lock of a wild clock forgotten, got %v", err)
	}
	if _, err := g.Pay(policy, wild.Add(-2*time.Hour)); err == nil {
		t.Error("wanted the lock to hold over a small step back")
	}
}

func TestLessTakesTheLatestOut(t *testing.T) {
	one := []limit.Rule{{Name: "one", N: 1, Per: time.Minute}, {Name: "large", N: 100, Per: time.Hour}}
	tally, err := limit.Tally{}.Add(one, epoch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tally.Less().Add(one, epoch); err != nil {
		t.Errorf("wanted room for one that was given back, got %v", err)
	}
	if got := (limit.Tally{}).Less(); len(got.Log) != 0 {
		t.Error("something was taken out of nothing")
	}
}

func TestSending(t *testing.T) {
	phone, _ := identity.ParsePhone("07700 900123")
	same, _ := identity.ParsePhone("+44 7700 900123")
	next, _ := identity.ParsePhone("07700 909999")
	keys := func(p identity.Phone) []string {
		var all []string
		for _, b := range limit.Defaults.Sending(p.Contact(), "flow", false) {
			all = append(all, b.Key)
		}
		return all
	}
	a, b, c := keys(phone), keys(same), keys(next)
	if a[0] != b[0] || a[0] == c[0] || a[2] != c[2] {
		t.Errorf("wanted one number to be one address, and both of one block: %v %v %v", a, b, c)
	}
	anonymous, known := limit.Defaults.Sending(phone.Contact(), "", false), limit.Defaults.Sending(phone.Contact(), "", true)
	last := len(known) - 1
	if anonymous[last].Rules[1].N != 160_000 || known[last].Rules[1].N != 200_000 || limit.Defaults.Service[1].N != 200_000 {
		t.Errorf("wanted a fifth kept, got %d of %d", anonymous[last].Rules[1].N, known[last].Rules[1].N)
	}
}

func TestNetworkGroupsALine(t *testing.T) {
	key := func(s string) string { return limit.Defaults.FromNetwork(netip.MustParseAddr(s), false).Key }
	for name, row := range map[string]struct {
		a, b string
		same bool
	}{
		"one /64":          {"2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true},
		"two /64":          {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"IPv4 in IPv6":     {"203.0.113.7", "::ffff:203.0.113.7", true},
		"two IPv4":         {"203.0.113.7", "203.0.113.8", false},
		"a zone of a link": {"fe80::1%a", "fe80::2%b", true},
	} {
		if got := key(row.a) == key(row.b); got != row.same {
			t.Errorf("%s: wanted %v", name, row.same)
		}
	}
	if limit.Slow(&limit.Exceeded{Until: epoch.Add(time.Hour)}, epoch) > 5*time.Second || limit.Slow(&limit.Exceeded{Until: epoch}, epoch.Add(time.Hour)) != 0 {
		t.Error("wanted an answer held back for five seconds at the most, and never less than not at all")
	}
}

// Labels of one mailbox are counted as one, and other addresses are not.
func TestSendingCountsAMailbox(t *testing.T) {
	key := func(address string) string {
		e, err := identity.ParseEmail(address)
		if err != nil {
			t.Fatal(err)
		}
		return limit.Defaults.Sending(e.Contact(), "", false)[0].Key
	}
	box := key("sian@example.com")
	for address, same := range map[string]bool{
		"sian+1@example.com": true, "SIAN+two+three@Example.com": true, "sian+@example.com": true,
		"sian1@example.com": false, "sian@example.org": false, "mair+sian@example.com": false, "si.an@example.com": false,
	} {
		if got := key(address); (got == box) != same {
			t.Errorf("%s: counted with the first: %v", address, got == box)
		}
	}
}
