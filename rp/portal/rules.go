package portal

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dilys-id/dilys/identity"
)

// Gateway is what forward authentication asks for, host by host.
type Gateway struct{ Hosts []Host }

// Host is a name behind the gateway. A request that no rule covers is refused.
type Host struct {
	Host       string // as browsers name it, with a port that is not the scheme's own
	MinimumAge int    // in years; 0: not asked
	Token      bool   // a check's 200 carries an access token for it
	Rules      []Rule
}

// Rule is what a path asks for, it and all below it: `/results/` and `/results`
// are the same rule.
type Rule struct {
	Path       string
	Methods    []string // none: every method
	Public     bool     // asks for nothing, and tells nothing of the patient
	Trust      []identity.Trust
	LowerUntil time.Time     // when vectors below P9 stop being enough; zero: never
	MaxAge     time.Duration // valid with HasMaxAge
	HasMaxAge  bool
	NoActivity bool // what comes here is not the patient's act: it renews nothing
}

// host is a [Host] ready to judge by.
type host struct {
	minimumAge int
	token      bool
	rules      []rule   // the longest path first
	methods    []string // that any rule names
}

// rule is a [Rule] ready to judge by: its path is without a slash at the end.
type rule struct {
	Rule
	folded string // the path, for servers that make no difference between cases
}

// compile checks the gateway and prepares it. A nil gateway compiles to nil.
func (g *Gateway) compile() (map[string]*host, error) {
	if g == nil {
		return nil, nil
	}
	hosts := map[string]*host{}
	for _, h := range g.Hosts {
		name := strings.ToLower(h.Host)
		if name == "" || hosts[name] != nil {
			return nil, fmt.Errorf("gateway host: wanted a name of its own, got %q", h.Host)
		}
		compiled := &host{minimumAge: h.MinimumAge, token: h.Token}
		for _, r := range h.Rules {
			if err := compiled.add(r); err != nil {
				return nil, fmt.Errorf("gateway host %s: %w", name, err)
			}
		}
		slices.SortStableFunc(compiled.rules, func(a, b rule) int { return len(b.Path) - len(a.Path) })
		hosts[name] = compiled
	}
	return hosts, nil
}

func (h *host) add(r Rule) error {
	if plain, ok := readings(r.Path); !ok || len(plain) != 1 {
		return fmt.Errorf("rule path: wanted a plain path such as /results/, got %q", r.Path)
	}
	if r.Public == (len(r.Trust) > 0) {
		return fmt.Errorf("rule %s: wanted a vector of trust or public, got neither or both", r.Path)
	}
	r.Path = strings.TrimSuffix(r.Path, "/")
	h.rules = append(h.rules, rule{r, fold(r.Path)})
	h.methods = append(h.methods, r.Methods...)
	return nil
}

// demand is what a request asks of the session: every rule in it at once. Where a
// request can be read in two ways, both must be allowed, which is the stricter.
type demand struct {
	rules      []*Rule
	minimumAge int
}

// demandOf returns what a request with that method and target asks for, or false
// when it can't be read or no rule covers one of its readings.
func (h *host) demandOf(method, target string) (demand, bool) {
	paths, ok := readings(target)
	if !ok {
		return demand{}, false
	}
	d := demand{minimumAge: h.minimumAge}
	for _, m := range h.methodReadings(method) {
		for _, path := range paths {
			if !h.cover(&d, m, path) {
				return demand{}, false
			}
		}
	}
	return d, true
}

// methodReadings returns the methods that a server may take the request for. HEAD
// is answered by the handler of GET, and some servers don't mind the case. An
// unknown method, the empty one, may be any.
func (h *host) methodReadings(method string) []string {
	switch upper := strings.ToUpper(method); {
	case method == "":
		return append([]string{"OTHER"}, h.methods...)
	case method == http.MethodHead:
		return []string{http.MethodHead, http.MethodGet}
	case method != upper:
		return []string{method, upper}
	}
	return []string{method}
}

// cover adds the rules of the longest path that covers the request, as it is
// written and as a server reads it that makes no difference between cases. It
// reports whether there was one each time.
func (h *host) cover(d *demand, method, path string) bool {
	folded := fold(path)
	asWritten := h.longest(d, method, func(r *rule) bool { return covers(r.Path, path) })
	return asWritten && h.longest(d, method, func(r *rule) bool { return covers(r.folded, folded) })
}

// longest adds the longest of the matching rules, all of one length together.
func (h *host) longest(d *demand, method string, matches func(*rule) bool) bool {
	length := -1
	for i := range h.rules {
		r := &h.rules[i]
		if len(r.Path) < length {
			break
		}
		if (len(r.Methods) == 0 || slices.Contains(r.Methods, method)) && matches(r) {
			length = len(r.Path)
			d.add(&r.Rule)
		}
	}
	return length >= 0
}

func (d *demand) add(r *Rule) {
	if !slices.Contains(d.rules, r) {
		d.rules = append(d.rules, r)
	}
}

// covers reports whether path is the rule's, or below it.
func covers(rulePath, path string) bool {
	return strings.HasPrefix(path, rulePath) && (len(path) == len(rulePath) || path[len(rulePath)] == '/')
}

// fold makes letters that differ in case alike: those, too, that have several
// forms of one case.
func fold(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || r >= 'A' && r <= 'Z' }) < 0 {
		return s
	}
	return strings.ToLower(strings.ToUpper(s))
}

// public reports whether nothing is asked.
func (d demand) public() bool {
	return len(d.rules) > 0 && !slices.ContainsFunc(d.rules, func(r *Rule) bool { return !r.Public })
}

// activity reports whether the request is an act of the patient.
func (d demand) activity() bool {
	return !slices.ContainsFunc(d.rules, func(r *Rule) bool { return r.NoActivity })
}

// floor is the lowest level of proofing that every rule admits.
func (d demand) floor() identity.Proofing {
	p := identity.P0
	for _, r := range d.rules {
		if !r.Public {
			p = max(p, lowest(r.Trust))
		}
	}
	return p
}

// at returns the demand as it is at that instant: a rule whose approval of a lower
// proof is over asks for the same credentials at P9.
func (d demand) at(now time.Time) demand {
	for i, r := range d.rules {
		if lapsed(r.LowerUntil, now) {
			strict := *r
			strict.Trust = atP9(r.Trust)
			d.rules[i] = &strict
		}
	}
	return d
}

// enough reports whether a login that reaches that vector satisfies every rule.
func (d demand) enough(t identity.Trust) bool {
	return !slices.ContainsFunc(d.rules, func(r *Rule) bool { return !r.Public && !t.SatisfiesAny(r.Trust) })
}

// unmet returns the first rule that a session judged so does not satisfy at that
// instant.
func (d demand) unmet(a identity.Assessment, now time.Time) (*Rule, bool) {
	for _, r := range d.rules {
		if !r.Public && !(a.Trust.SatisfiesAny(r.Trust) && (!r.HasMaxAge || a.Fresh(r.MaxAge, now))) {
			return r, true
		}
	}
	return nil, false
}
