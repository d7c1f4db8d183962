-- Asks alb-mtls-server about a request, with HAProxy's own HTTP client (2.6 and later).
-- Sets the variable txn.alb_mtls to `allowed`, or answers with the denial.

-- Each header of SERVER_AUTHORIZE_IDENTITY.
local IDENTITY = {
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-amzn-mtls-clientcert-leaf",
    "client-cert",
    "client-cert-chain",
}

-- Headers about a connection and a body that the question does not have.
local NOT_ASKED = {
    "connection", "content-length", "expect", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
}

-- Returns headers as the client wants them: lists that begin with 1.
local function lists(headers)
    local result = {}
    for name, values in pairs(headers) do
        local list = {}
        for index = 0, #values do
            if values[index] ~= nil then
                list[#list + 1] = values[index]
            end
        end
        result[name] = list
    end
    return result
end

local function alb_mtls(txn)
    local headers = lists(txn.http:req_get_headers())
    for _, name in ipairs(NOT_ASKED) do
        headers[name] = nil
    end
    -- HAProxy's client would write the host of the service's address in the place of one that is not there.
    if headers["host"] == nil or headers["host"][1] == nil or headers["host"][1] == "" then
        txn:done(txn:reply { status = 400, body = "the request names no host\n" })
        return
    end
    headers["x-original-method"] = { txn.sf:method() }
    headers["x-original-uri"] = { txn.sf:pathq() }

    local answer = core.httpclient():get {
        url = txn:get_var("txn.alb_mtls_server") .. "/authorize/haproxy",
        headers = headers,
        timeout = 15000,
    }
    if answer == nil or answer.status == nil or answer.status < 200 then
        return
    end
    if answer.status ~= 200 then
        local reply = txn:reply { status = answer.status, body = answer.body or "" }
        for _, name in ipairs { "content-type", "cache-control", "www-authenticate" } do
            local values = answer.headers and answer.headers[name]
            if values then
                reply:add_header(name, values[0] or values[1])
            end
        end
        txn:done(reply)
        return
    end
    for _, name in ipairs(IDENTITY) do
        txn.http:req_del_header(name)
        local values = answer.headers and answer.headers[name]
        if values then
            txn.http:req_add_header(name, values[0] or values[1])
        end
    end
    -- The question has these from HAProxy: a client's own would be seen by the service alone.
    txn.http:req_del_header("x-original-method")
    txn.http:req_del_header("x-original-uri")
    txn:set_var("txn.alb_mtls", "allowed")
end

core.register_action("alb_mtls", { "http-req" }, alb_mtls)
