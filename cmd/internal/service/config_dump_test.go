package service
import ("testing";"encoding/json";"os";"strings")
func TestDump(t *testing.T){ folder:=desk(t); out:=map[string][]string{}
 for name,row:=range refused { text:=good(t); for o,c:=range row.edit{ text=strings.Replace(text,o,c,1)}; f:=judged(t,folder,text); if f!="" {out[name]=strings.Split(f,"\n")} }
 b,_:=json.Marshal(out); os.WriteFile("/tmp/wants.json",b,0o600)}
