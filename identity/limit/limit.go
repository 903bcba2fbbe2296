// Package limit owns how often something may be done: the arithmetic of it, which
// is pure, and the small store that remembers.
//
// It never refuses a patient itself: its callers decide what a spent limit means.
package limit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/dilys-id/dilys/identity"
)

// Rule lets so many through in every span of that length.
type Rule struct {
	Name string
	N    int
	Per  time.Duration
}

// logged is the most that a rule may count by remembering each: then it holds in
// every span. A larger rule counts by the calendar (UTC), as couriers do.
const logged = 64

// Bucket is one thing that is counted, by one or more rules.
type Bucket struct {
	Key   string // what it is, in canonical form; kept as a keyed digest only
	Rules []Rule
}

// Exceeded says which rule is spent, and when it lets the next one through.
type Exceeded struct {
	Rule  string
	Until time.Time
}

// Error names the rule.
func (e *Exceeded) Error() string { return "limit " + e.Rule + " is spent" }

// Tally is what is remembered of a bucket.
type Tally struct {
	Log    []time.Time // of the last ones, oldest first
	Counts []Count     // of calendar spans, in the order of the rules that need one
}

// Count is how many there were in a calendar span.
type Count struct {
	Rule  string
	Began time.Time
	N     int
}

// farAhead is how far a clock may have stepped back. What lies further ahead was
// kept by a clock that ran wild, and would lock everybody out until then.
const farAhead = 24 * time.Hour

// sane returns the times that an honest clock may have kept.
func sane(log []time.Time, now time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(log), func(at time.Time) bool { return at.Sub(now) > farAhead })
}

// Add decides whether one more is let through at that instant, and returns the
// tally with it. It is pure. A clock that stepped back forgets nothing: what lies
// ahead counts too.
func (t Tally) Add(rules []Rule, now time.Time) (Tally, error) {
	t.Log = sane(t.Log, now)
	next := Tally{Log: slices.Clone(t.Log), Counts: slices.Clone(t.Counts)}
	longest := 0
	for _, r := range rules {
		if r.N > logged {
			if err := next.count(r, now); err != nil {
				return t, err
			}
			continue
		}
		longest = max(longest, r.N)
		if r.N <= 0 {
			return t, &Exceeded{r.Name, now.Add(r.Per)}
		}
		if len(t.Log) >= r.N {
			if free := t.Log[len(t.Log)-r.N].Add(r.Per); now.Before(free) {
				return t, &Exceeded{r.Name, free}
			}
		}
	}
	if longest > 0 {
		next.Log = append(next.Log, now)
		slices.SortFunc(next.Log, time.Time.Compare)
		next.Log = next.Log[max(0, len(next.Log)-longest):]
	}
	return next, nil
}

// Less returns the tally without its latest.
func (t Tally) Less() Tally {
	next := Tally{Log: slices.Clone(t.Log[:max(0, len(t.Log)-1)]), Counts: slices.Clone(t.Counts)}
	for i := range next.Counts {
		next.Counts[i].N = max(0, next.Counts[i].N-1)
	}
	return next
}

func (t *Tally) count(r Rule, now time.Time) error {
	began := now.UTC().Truncate(r.Per)
	i := slices.IndexFunc(t.Counts, func(c Count) bool { return c.Rule == r.Name })
	if i < 0 {
		t.Counts = append(t.Counts, Count{Rule: r.Name, Began: began})
		i = len(t.Counts) - 1
	}
	c := &t.Counts[i]
	if began.After(c.Began) || c.Began.Sub(now) > farAhead {
		c.Began, c.N = began, 0
	}
	if c.N >= r.N {
		return &Exceeded{r.Name, c.Began.Add(r.Per)}
	}
	c.N++
	return nil
}

// Policy is how often a secret may be guessed at.
type Policy struct {
	Name     string
	Tries    int           // wrong ones …
	Within   time.Duration // … in that time lock it …
	Lock     time.Duration // … for so long, doubled at each lock in a row …
	LockMost time.Duration // … up to that
	Day      int           // in 24 hours; 0: no such bound
	Ever     int           // in a row, whatever their time; 0: no such bound
}

// Guesses is what is remembered of guesses at one secret.
type Guesses struct {
	Log    []time.Time // since the last lock, oldest first
	Locks  int         // in a row
	Locked time.Time   // until then
	Today  []time.Time // of the last 24 hours, oldest first
	Ever   int
}

// ErrEnded says that too many guesses in a row were wrong: no more are judged until
// an act clears it (NIST SP 800-63B §3.2.2).
var ErrEnded = errors.New("too many wrong guesses in a row")

// Pay takes one guess, or says why there is none. It is pure. The guess that fills
// the log is judged still; its lock begins with it.
func (g Guesses) Pay(p Policy, now time.Time) (Guesses, error) {
	const day = 24 * time.Hour
	since := func(log []time.Time, span time.Duration) []time.Time {
		return slices.DeleteFunc(sane(log, now), func(at time.Time) bool { return now.Sub(at) >= span })
	}
	g.Today = since(g.Today, day)
	switch {
	case p.Ever > 0 && g.Ever >= p.Ever:
		return g, ErrEnded
	case now.Before(g.Locked) && g.Locked.Sub(now) <= max(p.LockMost, p.Lock)+farAhead:
		return g, &Exceeded{p.Name, g.Locked}
	case p.Day > 0 && len(g.Today) >= p.Day:
		return g, &Exceeded{p.Name + "-day", g.Today[len(g.Today)-p.Day].Add(day)}
	}
	g.Ever++
	if p.Day > 0 {
		g.Today = append(g.Today, now)
	}
	if p.Tries <= 0 {
		return g, nil
	}
	if g.Log = append(since(g.Log, p.Within), now); len(g.Log) >= p.Tries {
		g.Locked, g.Log = now.Add(lockFor(p, g.Locks)), nil
		g.Locks++
	}
	return g, nil
}

func lockFor(p Policy, locks int) time.Duration {
	d := p.Lock
	for range min(locks, 30) {
		d = min(2*d, p.LockMost)
	}
	return d
}

// Store remembers tallies and guesses under keyed digests.
type Store interface {
	// Tallies lets change read and replace the tallies of those buckets, all of
	// them or none, in the act of ctx or one of its own. A bucket that is not
	// remembered has the zero Tally. ends is until when each is worth remembering.
	Tallies(ctx context.Context, keys []string, ends time.Time, change func([]Tally) ([]Tally, error)) error
	// Guesses is the same for the guesses at one secret. It commits alone, unless
	// joins says that it belongs to the act of ctx.
	Guesses(ctx context.Context, key string, ends time.Time, joins bool, change func(Guesses) (Guesses, error)) error
	// SweepLimits forgets what no rule remembers any more.
	SweepLimits(ctx context.Context, now time.Time) error
}

// Limits counts.
type Limits struct {
	store Store
	rates Rates
	now   func() time.Time
}

// New returns the room over its store.
func New(store Store, rates Rates, now func() time.Time) *Limits {
	return &Limits{store, rates, now}
}

// Rates returns the limits in force.
func (l *Limits) Rates() Rates { return l.rates }

// Take takes one of each bucket, or of none: *[Exceeded] says which rule is spent.
func (l *Limits) Take(ctx context.Context, buckets ...Bucket) error {
	keys, keep := make([]string, len(buckets)), time.Duration(0)
	for i, b := range buckets {
		keys[i] = b.Key
		for _, r := range b.Rules {
			keep = max(keep, r.Per)
		}
	}
	now := l.now().UTC().Truncate(time.Microsecond)
	return l.store.Tallies(ctx, keys, now.Add(keep), func(tallies []Tally) ([]Tally, error) {
		for i, b := range buckets {
			next, err := tallies[i].Add(b.Rules, now)
			if err != nil {
				return nil, err
			}
			tallies[i] = next
		}
		return tallies, nil
	})
}

// Pay pays for a guess at what key names, before it is judged: *[Exceeded] while it
// is locked, [ErrEnded] when it is off. It must be called outside of every act.
func (l *Limits) Pay(ctx context.Context, key string, p Policy) error {
	now := l.now().UTC().Truncate(time.Microsecond)
	return l.store.Guesses(ctx, key, now.Add(p.memory()), false, func(g Guesses) (Guesses, error) { return g.Pay(p, now) })
}

// errLooked ends a look at a counter, so that nothing of it is kept.
var errLooked = errors.New("only looked at")

// Look says what [Limits.Pay] would, and pays nothing. It must be called outside of
// every act.
func (l *Limits) Look(ctx context.Context, key string, p Policy) error {
	now := l.now().UTC().Truncate(time.Microsecond)
	var why error
	err := l.store.Guesses(ctx, key, now, false, func(g Guesses) (Guesses, error) {
		_, why = g.Pay(p, now)
		return g, errLooked
	})
	if errors.Is(err, errLooked) {
		return why
	}
	return err
}

// memory is how long guesses are remembered after the last one: "in a row" has no
// end, and anything else is over in two days, so that made-up names fill nothing.
func (p Policy) memory() time.Duration {
	const day = 24 * time.Hour
	if p.Ever > 0 {
		return 100 * 365 * day // a factor that is off stays off until it is cleared
	}
	return max(2*day, 2*p.LockMost, 2*p.Within)
}

// GiveBack takes one back out of the buckets: what was begun was finished, and only
// what is not counts.
func (l *Limits) GiveBack(ctx context.Context, b Bucket) error {
	keep := time.Duration(0)
	for _, r := range b.Rules {
		keep = max(keep, r.Per)
	}
	return l.store.Tallies(ctx, []string{b.Key}, l.now().UTC().Add(keep), func(tallies []Tally) ([]Tally, error) {
		return []Tally{tallies[0].Less()}, nil
	})
}

// Settle forgets the guesses: the right one came. The day's count stays, so that a
// right guess between buys nothing. It joins the act of ctx.
func (l *Limits) Settle(ctx context.Context, key string) error {
	const day = 24 * time.Hour
	return l.store.Guesses(ctx, key, l.now().UTC().Add(2*day), true, func(g Guesses) (Guesses, error) {
		return Guesses{Today: g.Today[:max(0, len(g.Today)-1)]}, nil
	})
}

// Rates are the limits by name, as the configuration may set them.
type Rates struct {
	Cooldown    time.Duration // between two messages to one address
	Address     []Rule        // messages to one address
	Flow        int           // messages of one journey
	Block       Rule          // numbers that differ in their last four digits
	Service     []Rule        // all messages
	Reserve     int           // percent of Service kept for patients who log in
	Code        Policy        // guesses at a code, over all codes of an account
	Password    Policy
	Lookups     Rule   // looks at one register entry, and by one journey
	Network     []Rule // unfinished attempts of one network, beyond which answers slow down
	SharedTimes int    // so many times more where limits.networks names it
}

// Defaults are the limits where the configuration says nothing.
var Defaults = Rates{
	Cooldown: time.Minute,
	Address: []Rule{
		{"address-10m", 3, 10 * time.Minute}, {"address-hour", 5, time.Hour}, {"address-day", 10, 24 * time.Hour},
	},
	Flow:    5,
	Block:   Rule{"block", 10, time.Hour},
	Service: []Rule{{"service-hour", 2000, time.Hour}, {"service-day", 200_000, 24 * time.Hour}},
	Reserve: 20,
	Code:    Policy{Name: "code", Day: 10, Ever: 100},
	Password: Policy{
		Name: "password", Tries: 10, Within: 15 * time.Minute, Lock: 15 * time.Minute, LockMost: 2 * time.Hour,
	},
	Lookups:     Rule{"lookups", 5, 24 * time.Hour},
	Network:     []Rule{{"network-10m", 10, 10 * time.Minute}, {"network-1h", 25, time.Hour}},
	SharedTimes: 10,
}

// Sending returns what a message to that address takes, asked for in that journey.
// Patients who are past their password may use the reserve.
func (r Rates) Sending(to identity.Contact, flow string, loggedIn bool) []Bucket {
	rules := slices.Clone(r.Address)
	if !loggedIn { // who is past a password has a pause of the journey's own
		rules = append(rules, Rule{"address-cooldown", 1, r.Cooldown})
	}
	all := []Bucket{{"address:" + mailbox(to), rules}}
	if flow != "" {
		all = append(all, Bucket{"flow:" + flow, []Rule{{"flow", r.Flow, 24 * time.Hour}}})
	}
	if to.Channel == identity.BySMS {
		all = append(all, Bucket{"block:" + block(to), []Rule{r.Block}})
	}
	return append(all, r.service(to.Channel, loggedIn))
}

// mailbox names what an address leads to, as far as messages to it are counted: most
// mail servers put what stands after a plus into the mailbox before it, and whoever
// bombs that has a new address for every message. Accounts know no such thing.
func mailbox(c identity.Contact) string {
	if c.Channel != identity.ByEmail {
		return c.Canonical()
	}
	local, domain, _ := strings.Cut(c.Canonical(), "@")
	if box, _, labelled := strings.Cut(local, "+"); labelled {
		local = box
	}
	return local + "@" + domain
}

// service is the budget of a channel. Both kinds of patient draw from one count, and
// the anonymous stop earlier.
func (r Rates) service(c identity.Channel, loggedIn bool) Bucket {
	rules := slices.Clone(r.Service)
	if !loggedIn {
		for i := range rules {
			rules[i].N = rules[i].N * (100 - r.Reserve) / 100
		}
	}
	return Bucket{"service:" + string(c), rules}
}

// block is a number without its last four digits.
func block(c identity.Contact) string {
	const last = 4
	n := c.Address()
	return n[:max(0, len(n)-last)]
}

// Looking returns what a look at the register takes: of the entry that is meant, so
// that guesses at it are counted whoever makes them, and of the journey.
func (r Rates) Looking(entry, flow string) []Bucket {
	return []Bucket{{"entry:" + entry, []Rule{r.Lookups}}, {"look:" + flow, []Rule{r.Lookups}}}
}

// FromNetwork returns the bucket of unfinished attempts from that address. It only
// slows.
func (r Rates) FromNetwork(addr netip.Addr, shared bool) Bucket {
	rules := slices.Clone(r.Network)
	if shared {
		for i := range rules {
			rules[i].N *= r.SharedTimes
		}
	}
	return Bucket{"network:" + networkOf(addr), rules}
}

// networkOf groups the addresses that one household or attacker has: a /64 of IPv6
// is one line.
func networkOf(addr netip.Addr) string {
	const line = 64
	addr = addr.Unmap().WithZone("")
	if addr.Is4() || !addr.IsValid() {
		return addr.String()
	}
	return netip.PrefixFrom(addr, line).Masked().String()
}

// slowMost bounds how long an answer is held back.
const slowMost = 5 * time.Second

// Slow returns how long an answer to a network that is past its limit is held back:
// as long as it would wait for the next, and never longer than five seconds.
func Slow(e *Exceeded, now time.Time) time.Duration {
	return min(slowMost, max(0, e.Until.Sub(now)))
}

// String names the rule, for the log and the configuration's explanation.
func (r Rule) String() string { return fmt.Sprintf("%d/%s", r.N, r.Per) }
