package page

// quietAt is the page of what is kept from whoever sees a patient's messages or screen.
const quietAt = accountAt + "/quiet"

// Elsewhere is where "Exit this page" leads: a page that nobody wonders at.
const Elsewhere = "https://www.bbc.co.uk/weather"

// Quiet says what is kept from whoever sees the patient's messages or screen, and turns
// it on or off (`quiet`).
type Quiet struct {
	On    bool
	Saved bool
}

func (Quiet) template() string { return "quiet" }

func (Quiet) title(v *voice, _ *site) (string, error) { return v.plain("quiet.title") }

func (Quiet) form() form { return form{action: quietAt, back: accountAt} }

// Away leads elsewhere at once, without a script. It is a document of its own, with
// nothing of the frame: it must not look as anything of ours.
type Away struct{}

func (Away) template() string { return "away" }

func (Away) title(v *voice, _ *site) (string, error) { return v.plain("away.title") }

// To is where it leads.
func (Away) To() string { return Elsewhere }
