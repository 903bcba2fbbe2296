package page

// Linkage asks for the GP linkage details that a practice gives on paper
// (`gp_account_id`, `gp_linkage_key`). What was typed of them never comes back.
type Linkage struct {
	AskNumber bool   // the account has no NHS number (`nhs_number`)
	Number    string // as typed
	Reference string // of what could not be confirmed
	Faults    []Fault
}

func (Linkage) template() string { return "linkage" }

func (Linkage) title(v *voice, _ *site) (string, error) { return v.plain("linkage.title") }

func (p Linkage) form() form {
	return form{action: accountAt + "/linkage", back: accountAt, faults: p.Faults}
}
