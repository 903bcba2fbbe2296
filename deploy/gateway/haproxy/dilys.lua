-- Asks Dilys' check about a request: http-request lua.dilys HOST:PORT. What it answers is
-- in txn.dilys_status and its like; without an answer the status is 503.
local wanted = { "cookie", "authorization", "accept", "sec-fetch-mode", "sec-fetch-dest", "x-http-method-override", "x-http-method", "x-method-override" }
local told = { subject = "dilys-subject", trust = "dilys-trust", session = "dilys-session", authorization = "authorization", location = "location", challenge = "www-authenticate" }

core.register_action("dilys", { "http-req" }, function(txn, address)
	local came = txn.http:req_get_headers()
	local headers = {
		["x-forwarded-host"] = { txn.sf:req_hdr("host") },
		["x-forwarded-uri"] = { txn.sf:pathq() },
		["x-forwarded-method"] = { txn.sf:method() },
		["x-forwarded-for"] = { txn.sf:src() },
	}
	for _, name in ipairs(wanted) do
		if came[name] then
			local all = {}
			for i = 0, #came[name] do -- HAProxy counts from 0
				if came[name][i] then
					all[#all + 1] = came[name][i]
				end
			end
			headers[name] = all
		end
	end
	local answer = core.httpclient():get({ url = "http://" .. address .. "/check?redirect", headers = headers, timeout = 5000 })
	local status = answer and answer.status or 503
	txn:set_var("txn.dilys_status", status)
	for name, header in pairs(told) do
		local value = answer and answer.headers and answer.headers[header]
		txn:set_var("txn.dilys_" .. name, value and value[0] or "")
	end
end, 1)
