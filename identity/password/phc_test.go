package password

import "testing"

// FuzzPHC holds that a hash has one spelling, and asks for no more than the machine
// bears.
func FuzzPHC(f *testing.F) {
	f.Add(string(decoyPHC()))
	f.Add("$argon2id$v=19$m=65536,t=10,p=4$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=65536,t=10,p=4$AAAAAAAAAAAAAAAAAAAAAB$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB")
	f.Add("$argon2id$v=19$m=4294967297,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$2a$10$")
	f.Fuzz(func(t *testing.T, text string) {
		c, salt, hash, err := PHC(text).parse()
		if err != nil {
			return
		}
		if again := write(c, salt, hash); again != PHC(text) {
			t.Errorf("wanted one spelling, got %q beside %q", again, text)
		}
		if c.memory > 64<<10 || c.time > 10 || c.lanes > 4 || c.lanes == 0 || c.time == 0 || c.memory < 8*uint32(c.lanes) {
			t.Errorf("wanted costs in bounds, got %+v", c)
		}
	})
}
