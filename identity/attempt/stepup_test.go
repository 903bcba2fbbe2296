package attempt_test

import (
	"slices"
	"testing"
	"time"

	"github.com/dilys-id/dilys/identity"
	"github.com/dilys-id/dilys/identity/attempt"
)

// vectors are what may be asked for, from next to nothing to all.
var vectors = []string{
	"P0.Cp", "P0.Cd", "P0.Cp.Cd", "P0.Cp.Ck", "P0.Cm", "P5.Cp", "P5.Cp.Cd", "P5.Cp.Ck", "P5.Cm", "P9.Cp", "P9.Cp.Cd", "P9.Cp.Ck", "P9.Cm",
}

// sessions are what may be held an hour after it was proved, at each level of
// account and factor.
func sessions(at time.Time) map[string]identity.Evidence {
	all := map[string]identity.Evidence{}
	levels := []identity.Proofing{identity.P0, identity.P5, identity.P9}
	for _, level := range levels {
		for _, carries := range levels {
			use := identity.Use{Level: carries, At: at}
			own := identity.Own{Level: level, Basis: identity.BasisDocuments}
			password, passkey, half := own, own, own
			half.Password, password.Password, passkey.Passkey = use, use, use
			name := level.String() + " carried " + carries.String()
			for _, m := range []identity.Means{identity.MeansText, identity.MeansCard, identity.MeansBrowser, identity.MeansTOTP, identity.MeansRecovery} {
				password.Possession, password.Means = use, m
				all[name+" by "+string(m)] = identity.Evidence{Own: password}
			}
			all[name+" by passkey"] = identity.Evidence{Own: passkey}
			all[name+" by password alone"] = identity.Evidence{Own: half}
		}
		for _, v := range []string{"Cp", "Cp.Cd", "Cm"} {
			held := must(identity.ParseTrust(level.String() + "." + v))
			all["provider's "+held.String()] = identity.Evidence{Provider: identity.Proof{Provider: "one", Trust: held, Level: level, AuthTime: at, At: at}}
		}
	}
	return all
}

// everyOffer is each way at each level that its factor may carry, in an account of
// that level.
func everyOffer(level identity.Proofing, now time.Time) []attempt.Offer {
	var all []attempt.Offer
	for _, carries := range []identity.Proofing{identity.P0, identity.P5, identity.P9} {
		use := identity.Use{Level: carries, At: now}
		own := identity.Own{Level: level, Basis: identity.BasisDocuments}
		for w, m := range map[attempt.Way]identity.Means{
			attempt.WayApp: identity.MeansTOTP, attempt.WayPhone: identity.MeansText, attempt.WayCard: identity.MeansCard,
		} {
			own.Possession, own.Means = use, m
			all = append(all, attempt.Offer{Way: w, Proves: identity.Evidence{Own: own}})
			whole := own
			whole.Password = use
			all = append(all, attempt.Offer{Way: attempt.WayPassword, Proves: identity.Evidence{Own: whole}})
		}
		for _, v := range []string{"Cp.Cd", "Cm"} {
			held := must(identity.ParseTrust(carries.String() + "." + v))
			all = append(all, attempt.Offer{Way: attempt.WayProvider, Provider: "one", Proves: identity.Evidence{
				Provider: identity.Proof{Provider: "one", Trust: held, Level: carries, AuthTime: now, At: now},
			}})
		}
	}
	return all
}

// Over every pair of what is asked and what is held: what is offered would do, what
// would do is offered, and nothing that is offered raises a session above what the
// account holds and the factor carries.
func TestStepUpsOverEveryPair(t *testing.T) {
	now := epoch.Add(time.Hour)
	offered := 0
	for name, held := range sessions(epoch) {
		for _, asked := range vectors {
			vector := must(identity.ParseTrust(asked))
			for _, fresh := range []bool{false, true} {
				enough := func(a identity.Assessment) bool {
					return a.Trust.Satisfies(vector) && (!fresh || a.Fresh(10*time.Minute, now))
				}
				for _, level := range []identity.Proofing{identity.P0, identity.P5, identity.P9} {
					for _, o := range everyOffer(level, now) {
						good := attempt.StepUps(held, []attempt.Offer{o}, enough, now)
						offered += len(good)
						after := identity.Assess(o.Onto(held), now)
						if (len(good) == 1) != enough(after) {
							t.Fatalf("%s, asked %s (fresh %t), offered %s: %t, and it would reach %s", name, asked, fresh, o.Way, len(good) == 1, after.Trust)
						}
						ceiling := max(identity.Assess(held, now).Trust.P, min(o.Proves.Own.Level, o.Proves.Own.Possession.Level), o.Proves.Provider.Level)
						if after.Trust.P > ceiling {
							t.Fatalf("%s, offered %s: reached %s over %s", name, o.Way, after.Trust, ceiling)
						}
						if fresh && len(good) == 1 && after.AuthTime.Before(now) {
							t.Fatalf("%s, offered %s: nothing was proved now", name, o.Way)
						}
					}
				}
			}
		}
	}
	if offered < 1000 {
		t.Errorf("wanted the table to offer something, got %d", offered)
	}
}

func TestStepUpsChoosesTheLeastTrouble(t *testing.T) {
	now := epoch.Add(time.Hour)
	vector := must(identity.ParseTrust("P9.Cp.Cd"))
	offers := everyOffer(identity.P9, now)
	slices.Reverse(offers)
	held := sessions(epoch)["P9 carried P9 by remembered-browser"]
	got := attempt.WaysOf(attempt.StepUps(held, offers, func(a identity.Assessment) bool {
		return a.Trust.Satisfies(vector) && a.Fresh(time.Minute, now)
	}, now))
	want := attempt.Ways{attempt.WayApp, attempt.WayPhone, attempt.WayCard, attempt.WayProvider, attempt.WayPassword}
	if !slices.Equal(got, want) {
		t.Errorf("wanted %v, got %v", want, got)
	}
}

// A possession alone is never a login: without the password of the same session, a
// code offers nothing.
func TestStepUpsNeedsBothHalves(t *testing.T) {
	now := epoch.Add(time.Hour)
	passkey := sessions(epoch)["P9 carried P9 by passkey"]
	for _, o := range attempt.StepUps(passkey, everyOffer(identity.P9, now), func(a identity.Assessment) bool { return a.Fresh(time.Minute, now) }, now) {
		if o.Way == attempt.WayApp || o.Way == attempt.WayPhone || o.Way == attempt.WayCard {
			t.Errorf("a code beside a passkey of an hour ago made the login fresh: %s", o.Way)
		}
	}
}
