package rp

import (
	"fmt"

	"github.com/dilys-id/dilys/identity/attempt"
)

// dispatch is the only place that chooses what comes next on screen. departure is
// the provider's address where the step leads there.
func (v *visit) dispatch(step attempt.Step, departure string) error {
	switch step.Kind {
	case attempt.StepProvider:
		return v.redirect(departure)
	case attempt.StepReturn:
		to := landing(step.Return)
		if step.Elsewhere && step.Return.Request != "" {
			to += "&" + elsewhereParam + "=1"
		}
		return v.redirect(to)
	case attempt.StepChoose:
		return v.redirect(startAgain(step.Return))
	case attempt.StepCode:
		return v.redirect("/login/email/code")
	case attempt.StepApp:
		return v.redirect("/login/email/app")
	case attempt.StepCard:
		return v.redirect("/login/email/card")
	case attempt.StepSignUp:
		if step.Page == attempt.PageCard {
			return v.redirect("/account/second-way")
		}
		return v.redirect("/sign-up/" + string(step.Page))
	}
	return fmt.Errorf("dispatch: wanted a step with a page, got %d (%s)", step.Kind, step.Cause)
}
