package service

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// limits reads how often things may be tried. Each has bounds: what guards patients
// may be tighter than its default and never looser, and what guards the operator's
// budget may be as wide as GOV.UK Notify lets it.
func (r *reading) limits(m *mapping) Limits {
	defer m.close()
	l := Limits{
		SendCooldown:     m.at("send_cooldown").or("60s").span(30*time.Second, 10*time.Minute),
		SendPerAddress:   m.at("send_per_address").rates([]string{"3/10m", "5/1h", "10/24h"}, "5/10m", "10/1h", "20/24h"),
		SendPerFlow:      m.at("send_per_flow").or("5").number(3, 10), // 3: an e-mail, a text, and one of them again
		SendPerNetwork:   m.at("send_per_network").rates([]string{"10/10m", "25/1h"}, "100/10m", "500/1h"),
		SendPerBlock:     m.at("send_per_block").or("10/1h").rate(1, "50/1h"),
		SendPerService:   m.at("send_per_service").rates([]string{"2000/1h", "200000/24h"}, "100000/1h", "250000/24h"),
		SendReserve:      m.at("send_reserve").or("20%").percent(5, 50),
		CodeGuesses:      m.at("code_guesses").or("5").number(3, 5),
		CodeGuessesDay:   m.at("code_guesses_per_day").or("10").number(3, 10),
		CodeGuessesEver:  m.at("code_guesses_ever").or("100").number(20, 100), // 100: NIST SP 800-63B §3.2.2
		PasswordGuesses:  m.at("password_guesses").or("10/15m").rate(3, "10/15m"),
		PasswordLock:     m.at("password_lock").or("15m").span(5*time.Minute, 2*time.Hour),
		PasswordLockMost: m.at("password_lock_most").or("2h").span(15*time.Minute, maxRate),
		RegisterLookups:  m.at("register_lookups").or("5/24h").rate(1, "10/24h"),
		Networks:         m.at("networks").orList("default").networks(),
	}
	if most := m.at("password_lock_most").or("2h"); l.PasswordLockMost != 0 && l.PasswordLock > l.PasswordLockMost {
		most.refuse(fmt.Sprintf("no less than password_lock (%s)", brief(l.PasswordLock)), most.describe())
	}
	return l
}

// maxRate is the longest time of a rate: service and address are counted by the day.
const maxRate = 24 * time.Hour

// rate reads one rate that lets through that many at least, and no more than most.
func (v value) rate(least int, most string) Rate {
	return read(v, "a rate such as "+most, func(text string) (Rate, string) {
		rate, ok := parseRate(text)
		if !ok || rate.N < least || !within([]Rate{rate}, most) {
			return Rate{}, fmt.Sprintf("a rate of %d or more, and at most %s", least, most)
		}
		return rate, ""
	})
}

// rates reads a list of rates, which together let through no more than each of most.
func (v value) rates(byDefault []string, most ...string) []Rate {
	v = v.orList("default", byDefault...)
	var texts []string
	before := len(v.faults)
	all := readAll(v.required(), "a rate such as "+most[0], func(text string) (Rate, string) {
		rate, ok := parseRate(text)
		if !ok {
			return Rate{}, "a rate such as " + most[0]
		}
		texts = append(texts, text)
		return rate, ""
	})
	if len(v.faults) > before {
		return nil
	}
	for _, one := range most {
		if !within(all, one) {
			v.refuse("a rate of at most "+one+" among them", "["+strings.Join(texts, ", ")+"]")
		}
	}
	return all
}

// within reports whether one of the rates alone keeps to most: no more, in no less
// time.
func within(rates []Rate, most string) bool {
	limit, ok := parseRate(most)
	return ok && slices.ContainsFunc(rates, func(r Rate) bool { return r.N <= limit.N && r.Per >= limit.Per })
}

// parseRate reads a number and a time, such as 3/10m.
func parseRate(text string) (Rate, bool) {
	number, span, _ := strings.Cut(text, "/")
	per, ok := parseSpan(span)
	n, err := strconv.Atoi(number)
	if !ok || err != nil || n < 1 || strconv.Itoa(n) != number || per > maxRate {
		return Rate{}, false
	}
	return Rate{n, per}, true
}

var percentPattern = regexp.MustCompile(`^([1-9][0-9]?)%$`)

// percent reads a share.
func (v value) percent(least, most int) int {
	wanted := fmt.Sprintf("a share of %d%% to %d%%", least, most)
	return read(v, wanted, func(text string) (int, string) {
		parts := percentPattern.FindStringSubmatch(text)
		if parts == nil {
			return 0, wanted
		}
		n, err := strconv.Atoi(parts[1])
		if err != nil || n < least || n > most {
			return 0, wanted
		}
		return n, ""
	})
}
