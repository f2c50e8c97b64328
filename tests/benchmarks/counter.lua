-- A browser: it sends back the cookie that it was given last.
local cookie

function request()
  wrk.headers["Cookie"] = cookie
  return wrk.format()
end

function response(status, headers)
  for name, value in pairs(headers) do
    if name:lower() == "set-cookie" then
      cookie = value:match("^[^;]+")
    end
  end
end
