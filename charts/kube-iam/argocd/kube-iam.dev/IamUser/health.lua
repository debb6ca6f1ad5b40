-- Whether kube-iam has judged the object as it is now, and whether every replica decides by it.
local health = {status = "Progressing", message = "waiting for kube-iam to judge the object"}

if obj.metadata.deletionTimestamp ~= nil then
  health.message = "waiting until nothing refers to the object any more"
  return health
end

local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  if condition.observedGeneration == obj.metadata.generation then
    conditions[condition.type] = condition
  end
end

local function is_true(type)
  return conditions[type] ~= nil and conditions[type].status == "True"
end

if is_true("Stalled") then
  health.status = "Degraded"
  health.message = conditions.Stalled.message
elseif is_true("Reconciling") then
  health.message = conditions.Reconciling.message
elseif is_true("Ready") then
  health.status = "Healthy"
  health.message = conditions.Ready.message
elseif conditions.Ready ~= nil then
  health.message = conditions.Ready.message
end
return health
