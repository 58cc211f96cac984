-- The one way by which sealed values leave, for a person in Slack or for a program: only while the access runs, and never
-- without an audit entry. What is decided here is decided on every read, whatever a process has in memory.
--
-- KEYS  1 audit   2 audit:number   3 request:R for its holder in Slack, token:K for a program
-- ARGV  1 skew, ms   2 prefix of all keys   3 audit entry, with %NOW% %ACTOR% %REQUEST% %TARGET% %VERSION% where those go
--       4 slack, person or machine   5 who reads in Slack, or the hash of the secret that was shown   6 target, for a program
--       7 number of the version, 0 for the newest   8 versions that are not wanted again: ' E-N E-N '
--       9 what is not wanted either: this number and all before it, 0 for none
--       10 what lies opened in memory: 'E version-of-the-head MAC'
-- Answer  { 'ok', now, until, request, E, number, version of the head, body, entry id, sealed entry, ... }
--         no body where it lies in memory already; where an older version is read, no entries, and '' for the version of the head
--         { 'same', now, until, request, E, number }: it is not wanted, so nothing leaves and nothing is written down
--         { 'token' }   { 'not let' }   { 'none' }   { 'gone' }   { 'holder' }   { 'state', state }   { 'over' }   { 'version' }

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
local function spelled(number) return string.format('%.0f', number) end

local target, actor, till, name, wanted = ARGV[6], nil, nil, '', ARGV[7]
local request = KEYS[3]
if ARGV[4] ~= 'slack' then
  local token = redis.call('HMGET', KEYS[3], 'kind', 'hash', 'until', 'holder', 'epoch', 'targets', 'actions', 'only', 'deploy')
  -- Hashes of 32 random bytes: how long the comparison takes tells nothing that could be used.
  if token[1] ~= ARGV[4] or token[2] ~= ARGV[5] then return { 'token' } end
  if now >= tonumber(token[3]) then return { 'token' } end
  if token[5] ~= (redis.call('HGET', ARGV[2] .. 'sessions:' .. token[4], 'version') or '0') then return { 'token' } end
  actor = token[4]
  if ARGV[4] == 'machine' then
    if not string.find(token[7], ' read ', 1, true) then return { 'not let' } end
    if not string.find(token[6], ' ' .. target .. ' ', 1, true) then return { 'not let' } end
    till = tonumber(token[3])
    -- Lent to the job of a deploy: while that runs, and for the version that it deploys.
    if (token[9] or '') ~= '' and redis.call('HGET', ARGV[2] .. 'request:' .. token[9], 'state') ~= 'running' then
      return { 'token' }
    end
    if (token[8] or '') ~= '' then
      if wanted ~= '0' and wanted ~= token[8] then return { 'not let' } end
      wanted = token[8]
    end
  else
    -- By the end of each: where the last one is over, all are.
    name = redis.call('ZREVRANGE', ARGV[2] .. 'index:reads:' .. actor .. ':' .. target, 0, 0)[1]
    if not name then return { 'none' } end
    request = ARGV[2] .. 'request:' .. name
  end
else
  actor, name = ARGV[5], string.match(KEYS[3], '[^:]+$')
end

local environment
if ARGV[4] ~= 'machine' then
  local grant = redis.call('HMGET', request, 'kind', 'holder', 'state', 'until', 'target', 'environment')
  if grant[1] ~= 'open' then return { 'gone' } end
  if grant[2] ~= actor then return { 'holder' } end
  if grant[3] ~= 'active' then return { 'state', grant[3] } end
  till, environment = tonumber(grant[4]), grant[6]
  if now >= till then return { 'over' } end
  if target == '' then target = grant[5] or '' end
  if grant[5] ~= target then return { 'gone' } end
end
local known = redis.call('HGET', ARGV[2] .. 'environment:' .. target, 'id')
if not known or known ~= (environment or known) then return { 'gone' } end
environment = known

local head = redis.call('HMGET', ARGV[2] .. 'head:' .. environment, 'version', 'number', 'mac', 'entries', 'body')
if not head[2] or not head[5] then return { 'gone' } end
local number, body = head[2], head[5]
local newest = wanted == '0' or wanted == number
if not newest then
  number, body = wanted, redis.call('GET', ARGV[2] .. 'manifest:' .. environment .. ':' .. wanted)
  if not body then return { 'version' } end
end
local answer = { 'ok', spelled(now), spelled(till), name, environment, number, newest and head[1] or '' }
if string.find(ARGV[8], ' ' .. environment .. '-' .. number .. ' ', 1, true) or tonumber(number) <= tonumber(ARGV[9]) then
  answer[1], answer[7] = 'same', nil
  return answer
end
if newest and ARGV[10] ~= environment .. ' ' .. head[1] .. ' ' .. (head[3] or '') then
  answer[8] = body
  for id in string.gmatch(head[4], '%S+') do
    answer[#answer + 1] = id
    answer[#answer + 1] = redis.call('HGET', ARGV[2] .. 'entries:' .. environment, id)
  end
elseif not newest then
  answer[8] = body
end
local entry = string.gsub(ARGV[3], '%%(%u+)%%', {
  NOW = spelled(now), ACTOR = actor, REQUEST = name, TARGET = target, VERSION = number,
})
redis.call('XADD', KEYS[1], redis.call('INCR', KEYS[2]) .. '-0', 'entry', entry)
return answer
